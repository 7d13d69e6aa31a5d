"""The API without a framework: handles a request, the same for every adapter.

An adapter makes a `Request`, calls `answer` (or, in an event loop, the steps that it consists of),
and sends the `Reply`. The same requests, clock and ids give the same bytes.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

from serving.http.access import Access, require_scope
from serving.http.bodies import require_json, require_size, unpack
from serving.http.cors import Cors
from serving.http.endpoints import route_table
from serving.http.messages import Reply, without_end_slash
from serving.http.rate_limit import RateLimit
from serving.schema.clock import new_prediction_id
from serving.schema.problems import MEDIA_TYPE, ProblemError
from serving.service.idempotency import HEADER as IDEMPOTENCY_KEY
from serving.service.idempotency import SavedReply
from serving.telemetry.logs import log, log_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.http.messages import Request
    from serving.http.routes import Route
    from serving.service.prediction_service import PredictionService

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Api:
    """Answers requests; safe to use from several threads.

    Args:
        service: The use cases.
        new_id: Makes the id of a request that brings none.
        seconds: A monotonic clock.

    Raises:
        AccessError: Callers need a key, and none is configured.
    """

    def __init__(
        self,
        service: PredictionService,
        *,
        new_id: Callable[[], str] = new_prediction_id,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.service = service
        self.table = route_table(service)
        self.seconds = seconds
        self._new_id = new_id
        self._public = {route.path for route in self.table.routes if route.public}
        options = service.options
        self._access = Access(required=options.access.required, keys=options.access.keys)
        self._cors = Cors(options.cors)
        self._rate = RateLimit(
            per_second=options.limits.requests_per_second,
            burst=options.limits.burst,
            seconds=seconds,
        )

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request whose body has been read; never raises."""
        started = self.seconds()
        self.begin(request)
        try:
            route = self.admit(request)
            require_size(len(request.body), route)
            unpack(request, route)
            reply = self.carry_out(route, request)
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            reply = self.failure(request, error)
        self.end(request, reply.status, started)
        if reply.shadows:
            self.service.shadows.submit(reply.shadows)
        return reply

    def begin(self, request: Request) -> None:
        """Set path (without trailing slash), request id, and route name for log and metrics."""
        request.path = without_end_slash(request.path)
        request.name = self.table.path_of(request.path) or "other"
        given = request.header(b"x-request-id")
        request.request_id = given if _GIVEN_ID.fullmatch(given) else self._new_id()

    def admit(self, request: Request) -> Route:
        """Return the route of a request, after every check that needs no body.

        Raises:
            ProblemError: No key, over the rate, no such route, or a body that is not accepted.
        """
        if (preflight := self._cors.preflight(request)) is not None:
            return preflight
        public = request.name in self._public
        if not public:
            request.caller = self._access.caller(request)
            self._rate.take(request.caller)
        route = self.table.route(request)
        require_scope(request, route.scope)
        if route.max_body:
            require_json(request)
            declared = request.headers.get(b"content-length", b"")
            if declared.isdigit():
                require_size(int(declared[:20]), route)
        return route

    def carry_out(self, route: Route, request: Request) -> Reply:
        """Return the reply of the route, its predictions committed; blocks on disk and network.

        Raises:
            ProblemError: The problem to answer with.
        """
        if route.method == "POST" and IDEMPOTENCY_KEY in request.headers:
            return self._answered_once(route, request)
        return self._committed(route, request)

    def _answered_once(self, route: Route, request: Request) -> Reply:
        """Return the stored reply for the idempotency key, or answer and store the reply."""
        idempotency = self.service.idempotency
        begun = idempotency.begin(
            request.header(IDEMPOTENCY_KEY),
            scope=f"{request.caller}|{request.name}",
            content=request.query.encode() + b"\n" + request.body,
        )
        if isinstance(begun, SavedReply):
            return Reply(begun.body, begun.status, begun.media_type, tuple(begun.headers))
        try:
            reply = self._committed(route, request)
        except Exception:
            idempotency.release(begun)
            raise
        saved = SavedReply(reply.status, reply.media_type, list(reply.headers), reply.body)
        idempotency.finish(begun, saved)
        return reply

    def _committed(self, route: Route, request: Request) -> Reply:
        reply = route.answer(request)
        if reply.records:
            self.service.append_records(reply.records)
        return reply

    def failure(self, request: Request, error: Exception) -> Reply:
        """Return the answer to a request that failed; the cause of an unexpected one is logged."""
        if not isinstance(error, ProblemError):
            log(logging.ERROR, "request_failed", error=error, request_id=request.request_id)
            error = ProblemError(
                "The service failed unexpectedly. The cause is in its log under this "
                "request id; send the request again, or ask whoever runs the service."
            )
        request.log_fields["problem"] = error.slug
        return Reply(
            error.to_json(request.request_id),
            status=error.status,
            media_type=MEDIA_TYPE,
            headers=error.headers,
        )

    def headers(self, request: Request, reply: Reply) -> list[tuple[bytes, bytes]]:
        """Return every header of a reply, in a fixed order."""
        return [*reply.all_headers(request.request_id), *self._cors.headers(request)]

    def end(self, request: Request, status: int, started: float) -> None:
        """Count the request and write its log line."""
        seconds = self.seconds() - started
        self.service.metrics.request(request.name, status, seconds)
        log_request(
            {
                "request_id": request.request_id,
                "method": request.method,
                "path": request.name,
                "status": status,
                "ms": round(seconds * 1000, 3),
                **request.log_fields,
            }
        )
