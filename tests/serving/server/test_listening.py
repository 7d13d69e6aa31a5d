"""Taking the port."""

from __future__ import annotations

import socket

import pytest

from serving.server.listening import ListenError, listen


def test_a_free_port_is_taken_at_once() -> None:
    # Given any free port, When it is listened on, Then a client connects
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
            listen("127.0.0.1", port)


def test_a_port_just_given_up_is_free_again() -> None:
    # Given a port that was used, with a connection, When it is given up, Then it can be taken
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = first.accept()
            accepted.close()
            assert client.recv(1) == b""
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ListenError, match="There is no port"):
        listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 300])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=r"use 127\.0\.0\.1"):
        listen(host, 0)
