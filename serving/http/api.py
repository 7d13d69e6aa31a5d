"""From a request to its answer, the same for every adapter.

An adapter turns what its gateway hands it into a `Request`, calls `answer` (or, where it must not
wait, the parts of it), and sends what it gets. Same requests, clock and ids: the same bytes.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

from serving.http.access import Access
from serving.http.endpoints import route_table
from serving.http.limits import RateLimit
from serving.http.messages import JSON, Reply, without_end_slash
from serving.schema.clock import new_prediction_id
from serving.schema.problems import (
    MEDIA_TYPE,
    BodyTooLargeError,
    ProblemError,
    UnsupportedMediaTypeError,
)
from serving.service.idempotency import HEADER as IDEMPOTENCY_KEY
from serving.telemetry.logs import log, log_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.http.messages import Request
    from serving.http.routes import Route
    from serving.service.prediction_service import PredictionService

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHOWN: Final = 60


class Api:
    """Answers requests; safe to use from several threads.

    Args:
        service: The use cases.
        new_id: Makes the id of a request that brings none.
        seconds: A clock that never goes back.

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
        self._rate = RateLimit(
            per_second=options.limits.requests_per_second,
            burst=options.limits.burst,
            seconds=seconds,
        )

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request whose body is read; whatever happens, it is one."""
        started = self.seconds()
        self.begin(request)
        try:
            route = self.admit(request)
            require_size(len(request.body), route)
            reply = self.carry_out(route, request)
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            reply = self.failure(request, error)
        self.end(request, reply.status, started)
        if reply.shadows:
            self.service.shadows.take(reply.shadows)
        return reply

    def begin(self, request: Request) -> None:
        """Name the request: its path without a slash at the end, its id, its route in the log."""
        request.path = without_end_slash(request.path)
        request.name = self.table.path_of(request.path) or "other"
        given = request.header(b"x-request-id")
        request.request_id = given if _GIVEN_ID.fullmatch(given) else self._new_id()

    def admit(self, request: Request) -> Route:
        """Return the route of a request that may go on, judged before its body is read.

        Raises:
            ProblemError: Why it may not.
        """
        public = request.name in self._public
        if not public:
            request.caller = self._access.caller(request)
            self._rate.take(request.caller)
        route = self.table.route(request)
        if route.max_body:
            _require_json(request)
            declared = request.headers.get(b"content-length", b"")
            if declared.isdigit():
                require_size(int(declared[:20]), route)
        return route

    def carry_out(self, route: Route, request: Request) -> Reply:
        """Return the reply of the route, its predictions kept; waits for disks and networks.

        Raises:
            ProblemError: What the caller is told instead.
        """
        if route.method == "POST" and IDEMPOTENCY_KEY in request.headers:
            return self.service.idempotency.once(request, lambda: self._kept(route, request))
        return self._kept(route, request)

    def _kept(self, route: Route, request: Request) -> Reply:
        reply = route.answer(request)
        if reply.records:
            self.service.keep(reply.records)
        return reply

    def tried(self, route: Route, request: Request) -> Reply:
        """Return the reply of the route, its predictions to be kept, or what failed."""
        try:
            return route.answer(request)
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            return self.failure(request, error)

    def failure(self, request: Request, error: Exception) -> Reply:
        """Return the answer to a request that met an error; one that nobody expected is logged."""
        if not isinstance(error, ProblemError):
            log(logging.ERROR, "request_failed", error=error, request_id=request.request_id)
            error = ProblemError(
                "The service failed in a way it does not know. The cause is in its log under this "
                "request id; send the request again, or ask whoever runs the service."
            )
        request.noted["problem"] = error.slug
        return Reply(
            error.to_json(request.request_id),
            status=error.status,
            media_type=MEDIA_TYPE,
            headers=error.headers,
        )

    def end(self, request: Request, status: int, started: float) -> None:
        """Count the request and write its one line."""
        seconds = self.seconds() - started
        self.service.metrics.request(request.name, status, seconds)
        log_request(
            {
                "request_id": request.request_id,
                "method": request.method,
                "path": request.name,
                "status": status,
                "ms": round(seconds * 1000, 3),
                **request.noted,
            }
        )


def require_size(size: int, route: Route) -> None:
    """Check the size of a body.

    Raises:
        BodyTooLargeError: It is larger than the route reads.
    """
    if route.max_body and size > route.max_body:
        raise BodyTooLargeError(f"The body is larger than {route.max_body} bytes: send less.")


def _require_json(request: Request) -> None:
    declared = request.header(b"content-type")
    if declared != JSON and declared.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaTypeError(
            f"The content type is '{declared[:_SHOWN]}': send the header "
            f"'content-type: {JSON}' with a JSON body."
        )
