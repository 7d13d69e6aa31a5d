"""The HTTP server: uvicorn around the application."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.app import create_app
from serving.listening import BACKLOG

if TYPE_CHECKING:
    import asyncio
    import socket

    from serving.api import Api

_ACCEPTED_AT_ONCE: Final = 32
"""Connections accepted in a turn of the event loop: libuv accepts one for each listening socket,
and of 1,000 that came at once the last ones would wait for seconds."""

_COLLECTED_EVERY: Final = (20_000, 50, 100)
_KEEP_ALIVE_SECONDS: Final = 30
_STOP_SECONDS: Final = 10


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to its patience: a head that does not come is not awaited."""

    head_seconds = 10.0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as there
        """Wait for a first head."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def make_server(api: Api) -> uvicorn.Server:
    """Return the server; it stops when its `should_exit` is set.

    Requests that are under way then are answered first, for at most 10 seconds.
    """
    seconds = api.service.options.limits.body_seconds
    protocol = type("Protocol", (PatientProtocol,), {"head_seconds": seconds})
    config = uvicorn.Config(
        create_app(api),
        http=protocol,
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
