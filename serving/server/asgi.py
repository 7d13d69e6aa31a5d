"""The ASGI endpoint over the API, and the tasks that run beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from serving.history.group_commit import GroupCommitter
from serving.http.bodies import require_size, unpack
from serving.http.load_shedding import LoadShedder
from serving.http.messages import Request
from serving.schema.problems import RequestTimeoutError
from serving.server.micro_batch import MicroBatcher
from serving.service.idempotency import HEADER as IDEMPOTENCY_KEY
from serving.service.jobs import QueueWorker
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from serving.http.api import Api
    from serving.http.messages import Reply
    from serving.http.routes import Route

_TIDY_SECONDS: Final = 600
CLIENT_CLOSED: Final = 499
"""Logged where the caller disconnected before it was answered (the status that nginx uses)."""


class AsgiEndpoint:
    """Answers every HTTP request of an application.

    Args:
        api: Answers.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._recorder: GroupCommitter | None = None
        self._batchers: dict[str, MicroBatcher] = {}
        limits = api.service.options.limits
        self._body_seconds = limits.body_seconds
        self._shedder = LoadShedder(
            most_waiting=limits.most_waiting,
            most_lag_seconds=limits.most_lag_ms / 1000,
            metrics=api.service.metrics,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow releases, commit predictions and work on queues while the application runs."""
        service = self._api.service
        await asyncio.to_thread(service.refresh)
        recorder = self._recorder = GroupCommitter(service.history)
        self._batchers = {
            route.path: MicroBatcher(route.answer_batch, recorder)
            for route in self._api.table.routes
            if route.answer_batch is not None
        }
        workers = QueueWorker(service.jobs), QueueWorker(service.events, name="events")
        for worker in workers:
            worker.start()
        service.shadows.start()
        background = [
            asyncio.create_task(_every(service.options.follow_seconds, service.refresh)),
            asyncio.create_task(_every(_TIDY_SECONDS, service.tidy)),
            asyncio.create_task(self._shedder.watch()),
        ]
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
            await asyncio.to_thread(service.shadows.stop)
            await asyncio.to_thread(recorder.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        api = self._api
        started = api.seconds()
        request = request_of(scope)
        api.begin(request)
        shedder = self._shedder
        shedder.waiting += 1
        try:
            route = api.admit(request)
            if route.max_body:
                shedder.admit()
                request.body = await self._body(receive, route)
                unpack(request, route)
            reply = await self._reply(route, request)
        except ClientDisconnect:
            api.end(request, CLIENT_CLOSED, started)
            return
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            reply = api.failure(request, error)
        finally:
            shedder.waiting -= 1
        headers = api.headers(request, reply)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        api.end(request, reply.status, started)
        if reply.shadows:
            api.service.shadows.submit(reply.shadows)

    async def _body(self, receive: Receive, route: Route) -> bytes:
        try:
            async with asyncio.timeout(self._body_seconds):
                return await _body(receive, route)
        except TimeoutError as error:
            raise RequestTimeoutError(
                f"The body did not arrive within {self._body_seconds:g} s: send the request again."
            ) from error

    async def _reply(self, route: Route, request: Request) -> Reply:
        if not route.nonblocking or IDEMPOTENCY_KEY in request.headers or request.query:
            return await asyncio.to_thread(self._api.carry_out, route, request)
        batcher = self._batchers.get(route.path)
        return route.answer(request) if batcher is None else await batcher.reply(request)


async def _every(seconds: float, do: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(do)
        except Exception as error:  # noqa: BLE001 - the next round may succeed
            log(logging.ERROR, "background_failed", error=error)


def request_of(scope: Scope) -> Request:
    """Return the request of a scope, without its body."""
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=dict(scope["headers"]),
        client=client[0] if client else "",
        prefix=scope.get("root_path", ""),
    )


async def _body(receive: Receive, route: Route) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")  # nearly always: the whole body in one message
        require_size(len(body), route)
        return body
    read = bytearray()
    while message["type"] != "http.disconnect":
        read += message.get("body", b"")
        require_size(len(read), route)
        if not message.get("more_body"):
            return bytes(read)
        message = await receive()
    raise ClientDisconnect
