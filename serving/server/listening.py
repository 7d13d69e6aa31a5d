"""Binds the port before the slow start, so that a port in use is reported immediately."""

from __future__ import annotations

import errno
import socket
from typing import Final

from ontime_base.errors import OntimeError

_LAST_PORT: Final = 65_535


class ListenError(OntimeError):
    """The server cannot listen on the configured address."""


def reserve_port(host: str, port: int) -> socket.socket:
    """Return a bound socket that reserves this address and port (0: any free port) for the server.

    No other program can bind the port; the HTTP server of this user can, which shares it with
    `SO_REUSEPORT`. The socket does not listen, so it takes no connection from the server. Close it
    once the server listens.

    Raises:
        ListenError: The port is in use, or the address is not one of this machine.
    """
    if not 0 <= port <= _LAST_PORT:
        raise ListenError(f"There is no port {port}: choose one from 1024 to {_LAST_PORT}.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(
            f"The host '{host}' is not known ({error}): use 127.0.0.1, or an address of this "
            "machine."
        ) from error
    family, kind, protocol, _, address = found[0]
    reserved = socket.socket(family, kind, protocol)
    try:
        # Connections of a server that has just ended do not count as a port in use ...
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
        # ... but from here on only a socket that shares the port may bind it.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        reserved.close()
        raise ListenError(_reason(host, port, error)) from error
    return reserved


def _reason(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use: stop the program that has it, or choose another "
            f'port with `make serve ARGS="--port {port % _LAST_PORT + 1}"`.'
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has: choose one from 1024 up."
    return (
        f"The server cannot listen on {host} port {port} ({error.strerror}): use 127.0.0.1, or an "
        "address of this machine."
    )
