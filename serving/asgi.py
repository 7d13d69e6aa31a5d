"""The ASGI adapter: one plain endpoint over the API, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from serving.api import require_size
from serving.idempotency import HEADER as IDEMPOTENCY_KEY
from serving.jobs import JobWorker
from serving.limits import LoadGate
from serving.logs import log
from serving.messages import Request
from serving.problems import RequestTimeoutError
from serving.recorder import GroupRecorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from serving.api import Api
    from serving.messages import Reply
    from serving.routes import Route

_TIDY_SECONDS: Final = 600
CLIENT_CLOSED: Final = 499
"""Logged where the caller has gone before it was answered (a status that nginx made known)."""


class AsgiEndpoint:
    """Answers every HTTP request of an application.

    Args:
        api: Answers.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._recorder: GroupRecorder | None = None
        limits = api.service.options.limits
        self._body_seconds = limits.body_seconds
        self._gate = LoadGate(
            most_waiting=limits.most_waiting,
            most_lag_seconds=limits.most_lag_ms / 1000,
            metrics=api.service.metrics,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow releases and keep predictions while the application runs."""
        service = self._api.service
        await asyncio.to_thread(service.refresh)
        recorder = self._recorder = GroupRecorder(service.history)
        workers = JobWorker(service.jobs), JobWorker(service.events, name="events")
        for worker in workers:
            worker.start()
        service.shadows.start()
        beside = [
            asyncio.create_task(_every(service.options.follow_seconds, service.refresh)),
            asyncio.create_task(_every(_TIDY_SECONDS, service.tidy)),
            asyncio.create_task(self._gate.watch()),
        ]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            for worker in workers:
                await asyncio.to_thread(worker.stop)
            await asyncio.to_thread(service.shadows.stop)
            await asyncio.to_thread(recorder.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        api = self._api
        started = api.seconds()
        request = _request_of(scope)
        api.begin(request)
        gate = self._gate
        gate.waiting += 1
        try:
            route = api.admit(request)
            if route.max_body:
                gate.enter()
                request.body = await self._body(receive, route)
            reply = await self._reply(route, request)
        except ClientDisconnect:
            api.end(request, CLIENT_CLOSED, started)
            return
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            reply = api.failure(request, error)
        finally:
            gate.waiting -= 1
        headers = reply.all_headers(request.request_id)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        api.end(request, reply.status, started)
        if reply.shadows:
            api.service.shadows.take(reply.shadows)

    async def _body(self, receive: Receive, route: Route) -> bytes:
        try:
            async with asyncio.timeout(self._body_seconds):
                return await _body(receive, route)
        except TimeoutError as error:
            raise RequestTimeoutError(
                f"The body did not come within {self._body_seconds:g} s: send the request again."
            ) from error

    async def _reply(self, route: Route, request: Request) -> Reply:
        if not route.quick or IDEMPOTENCY_KEY in request.headers or request.query:
            return await asyncio.to_thread(self._api.carry_out, route, request)
        reply = route.answer(request)
        if reply.records:
            assert self._recorder is not None  # noqa: S101 - requests come while `running`
            for record in reply.records:
                await self._recorder.keep(record)
        return reply


async def _every(seconds: float, do: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(do)
        except Exception as error:  # noqa: BLE001 - it must go on, whatever happens
            log(logging.ERROR, "background_failed", error=error)


def _request_of(scope: Scope) -> Request:
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
        body: bytes = message.get("body", b"")  # nearly always: all of it at once
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
