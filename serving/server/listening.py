"""The socket of the server: taken before anything slow, so that a taken port is told at once."""

from __future__ import annotations

import errno
import socket
from typing import Final

from ontime_base.errors import OntimeError

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""
_LAST_PORT: Final = 65_535


class ListenError(OntimeError):
    """The server cannot listen where it was told to."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on this address and port (0: any free port).

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
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # With SO_REUSEADDR, only listening shows for certain that nobody else does.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(_why(host, port, error)) from error
    return listener


def _why(host: str, port: int, error: OSError) -> str:
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
