"""The ASGI adapter: one plain endpoint over the API, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.requests import ClientDisconnect

from serving.history.group_commit import GroupRecorder
from serving.http.api import require_size
from serving.http.limits import LoadGate
from serving.http.messages import Request
from serving.schema.problems import HistoryUnavailableError, ProblemError, RequestTimeoutError
from serving.service.idempotency import HEADER as IDEMPOTENCY_KEY
from serving.service.jobs import JobWorker
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from serving.http.api import Api
    from serving.http.messages import Reply
    from serving.http.routes import Route

_TIDY_SECONDS: Final = 600
_TOGETHER: Final = 64
"""Requests answered together: some 15 ms, in which the loop does nothing else."""
CLIENT_CLOSED: Final = 499
"""Logged where the caller has gone before it was answered (a status that nginx made known)."""


class _Asked(NamedTuple):
    request: Request
    give: Callable[[Reply], None]
    started: float


class AsgiEndpoint:
    """Answers every HTTP request of an application.

    Args:
        api: Answers.

    Attributes:
        gathering: Methods and paths of the routes that answer several requests together.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._recorder: GroupRecorder | None = None
        limits = api.service.options.limits
        self._body_seconds = limits.body_seconds
        self.gathering = frozenset(
            (route.method, route.path) for route in api.table.routes if route.together
        )
        self._gathered: list[_Asked] = []
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
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
            await asyncio.to_thread(service.shadows.stop)
            await asyncio.to_thread(recorder.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        api = self._api
        started = api.seconds()
        request = request_of(scope)
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

    def take(self, request: Request, give: Callable[[Reply], None]) -> None:
        """Answer a request whose body is whole, together with others that come at the same time.

        What `__call__` does, without a task, less what only waiting needs.

        Args:
            request: The request; its method and path are `gathering`, and it has no query.
            give: Called once, from the loop: at the latest when its prediction is kept.
        """
        api = self._api
        asked = _Asked(request, give, api.seconds())
        api.begin(request)
        self._gate.waiting += 1
        try:
            route = api.admit(request)
            self._gate.enter()
            require_size(len(request.body), route)
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            self._end(asked, api.failure(request, error))
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._answer_gathered, route)
        self._gathered.append(asked)

    def _answer_gathered(self, route: Route) -> None:
        """Answer what has gathered in one turn of the loop; more than some at once wait a turn."""
        asked, self._gathered = self._gathered[:_TOGETHER], self._gathered[_TOGETHER:]
        if self._gathered:
            asyncio.get_running_loop().call_soon(self._answer_gathered, route)
        try:
            assert route.together is not None  # noqa: S101 - else nothing is gathered
            replies = route.together([each.request for each in asked])
        except Exception:  # noqa: BLE001 - it is of one of them: each alone
            for each in asked:
                self._keep(each, self._api.tried(route, each.request))
            return
        for each, reply in zip(asked, replies, strict=True):
            if isinstance(reply, ProblemError):
                self._end(each, self._api.failure(each.request, reply))
            else:
                self._keep(each, reply)

    def _keep(self, asked: _Asked, reply: Reply) -> None:
        """Give the reply once its prediction is kept."""
        if not reply.records:
            self._end(asked, reply)
            return
        assert self._recorder is not None  # noqa: S101 - requests come while `running`
        (record,) = reply.records

        def then(failure: Exception | None) -> None:
            kept = reply if failure is None else self._api.failure(asked.request, failure)
            self._end(asked, kept)

        try:
            self._recorder.hand_in(record, then)
        except HistoryUnavailableError as error:
            then(error)

    def _end(self, asked: _Asked, reply: Reply) -> None:
        self._gate.waiting -= 1
        try:
            asked.give(reply)
        except Exception as error:  # noqa: BLE001 - of one connection, and no matter of the others
            log(logging.ERROR, "giving_failed", error=error, request_id=asked.request.request_id)
        self._api.end(asked.request, reply.status, asked.started)
        if reply.shadows:
            self._api.service.shadows.take(reply.shadows)

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
