"""The HTTP server: uvicorn around the application."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import uvicorn

from serving.server.app import OntimeApp
from serving.server.asgi import AsgiEndpoint
from serving.server.listening import BACKLOG
from serving.server.protocol import ServiceProtocol

if TYPE_CHECKING:
    import socket

    from serving.http.api import Api

_ACCEPTED_AT_ONCE: Final = 32
"""Connections accepted in a turn of the event loop: libuv accepts one for each listening socket,
and of 1,000 that came at once the last ones would wait for seconds."""

_COLLECTED_EVERY: Final = (20_000, 50, 100)
_KEEP_ALIVE_SECONDS: Final = 30
_STOP_SECONDS: Final = 10


def make_server(api: Api) -> uvicorn.Server:
    """Return the server; it stops when its `should_exit` is set.

    Requests that are under way then are answered first, for at most 10 seconds.
    """
    endpoint = AsgiEndpoint(api)
    seconds = api.service.options.limits.body_seconds
    settings = {"head_seconds": seconds, "endpoint": endpoint}
    config = uvicorn.Config(
        OntimeApp(endpoint, api),
        http=type("Protocol", (ServiceProtocol,), settings),
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
    # What a request leaves behind goes by its reference count; cycles are rare. What is there at
    # the start stays. Looking for garbage less often makes a tenth more requests a second.
    gc.freeze()
    gc.set_threshold(*_COLLECTED_EVERY)
    listeners = [listener, *(listener.dup() for _ in range(_ACCEPTED_AT_ONCE - 1))]
    make_server(api).run(sockets=listeners)
