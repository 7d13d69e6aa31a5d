"""uvicorn's HTTP protocol, with an end to its patience and a short way for predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from serving.server.asgi import request_of
from serving.service.idempotency import HEADER as IDEMPOTENCY_KEY

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application

    from serving.http.messages import Reply, Request
    from serving.server.asgi import AsgiEndpoint

_LONG_WAY: Final = frozenset(
    {b"expect", IDEMPOTENCY_KEY, b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"}
)
"""Headers of requests that need more than the short way does."""


class ServiceProtocol(HttpToolsProtocol):
    """The protocol of one connection.

    A head that does not come is not awaited for ever. And a request for a prediction that has come
    in one piece takes the short way: without a task and the messages of ASGI, and together with
    others that came at the same time. Every other request is uvicorn's, as ever.
    """

    head_seconds = 10.0
    endpoint: AsgiEndpoint | None = None
    _waiting: asyncio.TimerHandle | None = None
    _held: tuple[RequestResponseCycle, ASGI3Application] | None = None
    _reading = False

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

    def data_received(self, data: bytes) -> None:
        """Read what came; a request for a prediction goes the short way if all of it is there."""
        self._reading = True
        try:
            super().data_received(data)
        finally:
            self._reading = False
        if self._held is not None:
            (cycle, app), self._held = self._held, None
            if self._gone(cycle):
                return
            if cycle.more_body or self.flow.write_paused:
                super()._start_asgi_task(cycle, app)
            else:
                self._answer(cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start the task of a request, or hold it until all that came is read."""
        scope = cycle.scope
        if (
            self.endpoint is not None
            and self._reading
            and cycle.more_body
            and app is self.app
            and (scope["method"], scope["path"]) in self.endpoint.gathering
            and not scope["query_string"]
            and not any(name in _LONG_WAY for name, _ in scope["headers"])
        ):
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _answer(self, cycle: RequestResponseCycle) -> None:
        request = request_of(dict(cycle.scope))
        request.body = bytes(cycle.body)
        assert self.endpoint is not None  # noqa: S101 - else nothing is held
        self.endpoint.take(request, lambda reply: self._give(cycle, request, reply))

    def _give(self, cycle: RequestResponseCycle, request: Request, reply: Reply) -> None:
        """Write a whole answer, and go on with the connection as after any other."""
        if self._gone(cycle):
            return
        head = [STATUS_LINE[reply.status]]
        for name, value in (*cycle.default_headers, *reply.all_headers(request.request_id)):
            head += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            head.append(b"connection: close\r\n")
        self.transport.write(b"".join((*head, b"\r\n", reply.body)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        cycle.on_response = _nothing  # as uvicorn does: it refers to what refers to it

    def _gone(self, cycle: RequestResponseCycle) -> bool:
        """Return whether nobody reads an answer any more."""
        return cycle.disconnected or self.transport.is_closing()

    def _wait(self) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _nothing() -> None: ...
