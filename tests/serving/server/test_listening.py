"""Reserving the port."""

from __future__ import annotations

import socket

import pytest

from serving.server.listening import ListenError, reserve_port


def shared_with(reserved: socket.socket) -> socket.socket:
    """Return a listening socket on a reserved port, made as the HTTP server makes it."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(reserved.getsockname())
    server.listen()
    return server


def test_a_free_port_is_reserved_for_the_server_alone() -> None:
    # Given a reserved port, When the server listens on it, Then it gets every connection
    with reserve_port("127.0.0.1", 0) as reserved, shared_with(reserved) as server:
        assert reserved.getsockname()[0] == "127.0.0.1"
        server.settimeout(10)
        for _ in range(20):
            with socket.create_connection(reserved.getsockname()):
                server.accept()[0].close()


def test_a_reserved_port_takes_no_connection_before_the_server_listens() -> None:
    with reserve_port("127.0.0.1", 0) as reserved, pytest.raises(ConnectionRefusedError):
        socket.create_connection(reserved.getsockname(), timeout=10)


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    # Given a port that another server reserves, and one on which it listens already
    with reserve_port("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(ListenError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
            reserve_port("127.0.0.1", port)
        server = shared_with(reserved)
    # Then neither can be reserved
    with server, pytest.raises(ListenError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
        reserve_port("127.0.0.1", port)


def test_a_port_just_given_up_is_free_again() -> None:
    # Given a port that was used, with a connection, When it is given up, Then it can be reserved
    with reserve_port("127.0.0.1", 0) as reserved, shared_with(reserved) as server:
        port = reserved.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    reserve_port("127.0.0.1", port).close()


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ListenError, match="There is no port"):
        reserve_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 300])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=r"use 127\.0\.0\.1"):
        reserve_port(host, 0)
