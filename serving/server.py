"""The HTTP server: uvicorn around the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uvicorn

from serving.app import create_app
from serving.listening import BACKLOG

if TYPE_CHECKING:
    import socket

    from serving.api import Api

_KEEP_ALIVE_SECONDS: Final = 30
_STOP_SECONDS: Final = 10


def make_server(api: Api) -> uvicorn.Server:
    """Return the server; it stops when its `should_exit` is set.

    Requests that are under way then are answered first, for at most 10 seconds.
    """
    config = uvicorn.Config(
        create_app(api),
        access_log=False,  # the application writes one line per request itself
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        server_header=False,
        lifespan="on",
    )
    return uvicorn.Server(config)


def serve(api: Api, listener: socket.socket) -> None:
    """Answer requests on a listening socket until told to stop (SIGINT, SIGTERM)."""
    make_server(api).run(sockets=[listener])
