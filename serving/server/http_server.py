"""The HTTP server: Granian, embedded in this process, around the application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from typing import TYPE_CHECKING, Final

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from ontime_base.errors import OntimeError
from serving.server.app import OntimeApp
from serving.server.asgi import AsgiEndpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from serving.http.api import Api

_BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""
_MAX_CONNECTIONS: Final = 4096
_STOP_SECONDS: Final = 15
_POLL_SECONDS: Final = 0.02
# Errors alone, to the handlers that the logger has already.
_LOGGING: Final = {"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}}
_GC_THRESHOLDS: Final = (20_000, 50, 100)


class HttpServerError(OntimeError):
    """The server could not be started, or ended by itself."""


class HttpServer:
    """Answers the requests of an API over HTTP/1.1.

    Args:
        api: Answers.
        reserved: A socket of `reserve_port`; closed once the server listens on that port.
    """

    def __init__(self, api: Api, reserved: socket.socket) -> None:
        limits = api.service.options.limits
        self._reserved = reserved
        self.host, self.port = reserved.getsockname()[:2]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._stopping = False
        self._server = Server(
            OntimeApp(AsgiEndpoint(api), api),
            address=self.host,
            port=self.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,  # an upgrade to HTTP/2 is not offered: the request is answered
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_MAX_CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(limits.head_seconds * 1000),
                max_buffer_size=limits.max_head_bytes,
            ),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
        )

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Answer requests until stopped; those under way then are answered first.

        Args:
            on_ready: Called once connections are accepted.

        Raises:
            HttpServerError: The server could not be started, or ended by itself.
        """
        serving = self._serving = asyncio.create_task(self._server.serve())
        self._loop = asyncio.get_running_loop()
        try:
            await self._listening(serving)
            self._reserved.close()
            on_ready()
            await serving
        except asyncio.CancelledError:
            if not (self._stopping and serving.cancelled()):
                raise
        except OSError as error:
            raise HttpServerError(
                f"The server cannot listen on {self.host} port {self.port} ({error}): stop the "
                "program that has it, or choose another port."
            ) from error
        if not self._stopping:
            raise HttpServerError(
                "The server ended by itself: the cause is in the log lines before this one."
            )

    def stop(self) -> None:
        """Shut down gracefully: refuse connections, finish open requests within 15 seconds at most.

        Safe to call from any thread.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._server.stop()  # type: ignore[no-untyped-call] # granian does not type it
            assert self._serving is not None  # noqa: S101 - set before there is a loop to stop
            asyncio.get_running_loop().call_later(_STOP_SECONDS, self._serving.cancel)

    async def _listening(self, serving: asyncio.Task[None]) -> None:
        """Return once the server accepts connections, or has ended."""
        while not serving.done():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(self.host, self.port)
                writer.close()
                return
            await asyncio.sleep(_POLL_SECONDS)


def serve(api: Api, reserved: socket.socket, on_ready: Callable[[], None] = lambda: None) -> None:
    """Answer requests on a reserved port until SIGINT or SIGTERM.

    Args:
        api: Answers.
        reserved: A socket of `reserve_port`.
        on_ready: Called once connections are accepted.

    Raises:
        HttpServerError: The server could not be started, or ended by itself.
    """
    # Reference counts free what a request leaves behind; cycles are rare. Objects of the start
    # stay. Fewer collections make a tenth more requests a second.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)

    async def run() -> None:
        server = HttpServer(api, reserved)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        await server.run(on_ready)

    uvloop.run(run())
