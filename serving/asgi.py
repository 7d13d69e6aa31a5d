"""The ASGI adapter: one plain endpoint over the API, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from serving.api import require_size
from serving.logs import log
from serving.messages import Request
from serving.recorder import GroupRecorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from serving.api import Api
    from serving.messages import Reply
    from serving.routes import Route

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

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow releases and keep predictions while the application runs."""
        service = self._api.service
        await asyncio.to_thread(service.refresh)
        recorder = self._recorder = GroupRecorder(service.history)
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.to_thread(recorder.close)

    async def _follow(self) -> None:
        service = self._api.service
        while True:
            await asyncio.sleep(service.options.follow_seconds)
            try:
                await asyncio.to_thread(service.refresh)
            except Exception as error:  # noqa: BLE001 - following must go on, whatever happens
                log(logging.ERROR, "following_failed", error=error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        api = self._api
        started = api.seconds()
        request = _request_of(scope)
        api.begin(request)
        try:
            route = api.admit(request)
            if route.max_body:
                request.body = await _body(receive, route)
            reply = await self._reply(route, request)
        except ClientDisconnect:
            api.end(request, CLIENT_CLOSED, started)
            return
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            reply = api.failure(request, error)
        headers = reply.all_headers(request.request_id)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        api.end(request, reply.status, started)

    async def _reply(self, route: Route, request: Request) -> Reply:
        if not route.quick:
            return await asyncio.to_thread(self._api.carry_out, route, request)
        reply = route.answer(request)
        if reply.records:
            assert self._recorder is not None  # noqa: S101 - requests come while `running`
            for record in reply.records:
                await self._recorder.keep(record)
        return reply


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
