"""The endpoints: from a request to a reply, by the use cases of the service."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from serving.http.messages import Reply
from serving.http.routes import Route, RouteTable
from serving.schema.problems import ProblemError
from serving.service.pagination import HISTORY_PARAMETERS
from serving.telemetry.metrics import MEDIA_TYPE as METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.http.messages import Request
    from serving.inference.predictor import Prediction
    from serving.service.prediction_service import PredictionService

# The page loads nothing and speaks to nobody but this service.
_POLICY: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    b"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_OWN_ONLY: Final = ((b"content-security-policy", _POLICY),)
HTML: Final = "text/html; charset=utf-8"
ASYNC: Final = "/model/predict/async"
ACCEPTED: Final = 202


class Endpoints:
    """One method for each operation that does more than ask the service.

    Args:
        service: Answers.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def predict(self, request: Request) -> Reply:
        """`POST /model/predict`: the reply names the prediction to commit before it is sent."""
        explain = bool(request.query) and request.flag("explain")
        return _predicted(request, self._service.predict(request.body, explain=explain))

    def predict_together(self, requests: Sequence[Request]) -> list[Reply | ProblemError]:
        """`POST /model/predict` of several requests, as one micro-batch."""
        found = self._service.predict_together([request.body for request in requests])
        return [
            each if isinstance(each, ProblemError) else _predicted(request, each)
            for request, each in zip(requests, found, strict=True)
        ]

    def predict_batch(self, request: Request) -> Reply:
        """`POST /model/predict/batch`."""
        request.parameters()
        batch = self._service.predict_batch(request.body, request_id=request.request_id)
        request.noted["predictions"] = len(batch.records)
        return Reply(batch.answer, records=batch.records, shadows=batch.shadows)

    def submit(self, request: Request) -> Reply:
        """`POST /model/predict/async`: accepted once it is durable."""
        request.parameters()
        job = self._service.jobs.submit(request.body)
        request.noted["job_id"] = job.id
        location = f"{request.prefix}{ASYNC}/{job.id}"
        headers = ((b"location", location.encode()),)
        return Reply(msgspec.json.encode(job), status=ACCEPTED, headers=headers)

    def events(self, request: Request) -> Reply:
        """`POST /events`: accepted once they are durable."""
        request.parameters()
        answer = self._service.events.submit(request.body)
        request.noted["events"] = answer.accepted
        return Reply(msgspec.json.encode(answer), status=ACCEPTED)

    def job(self, request: Request) -> Reply:
        """`GET /model/predict/async/{id}`."""
        request.parameters()
        job_id = request.path.rpartition("/")[2]
        return Reply(msgspec.json.encode(self._service.jobs.find(job_id)))

    def card(self, request: Request) -> Reply:
        """`GET /model/card`."""
        alias = request.parameters("alias").get("alias")
        return Reply(self._service.card(alias), media_type=HTML)

    def load(self, request: Request) -> Reply:
        """`POST /model/load`."""
        request.parameters()
        return Reply(self._service.load(request.body))

    def history(self, request: Request) -> Reply:
        """`GET /model/history`."""
        return Reply(self._service.history_page(request.parameters(*HISTORY_PARAMETERS)))


def route_table(service: PredictionService) -> RouteTable:
    """Return the routes of the service."""
    endpoints = Endpoints(service)
    one, many = service.options.max_body_bytes, service.options.max_batch_bytes
    local = service.options.stores.online == "sqlite"  # a cached file: look-ups do not block
    return RouteTable(
        (
            Route(
                "POST",
                "/model/predict",
                endpoints.predict,
                max_body=one,
                nonblocking=local,
                answer_batch=endpoints.predict_together if local else None,
            ),
            Route("POST", "/model/predict/batch", endpoints.predict_batch, max_body=many),
            Route("POST", ASYNC, endpoints.submit, max_body=one),
            Route("GET", f"{ASYNC}/{{id}}", endpoints.job),
            Route("POST", "/events", endpoints.events, max_body=many),
            Route("POST", "/model/load", endpoints.load, max_body=one),
            Route("GET", "/model", lambda _: Reply(service.model()), nonblocking=True),
            Route("GET", "/model/card", endpoints.card, nonblocking=True),
            Route(
                "GET",
                "/metrics",
                lambda _: Reply(service.metrics_text(), media_type=METRICS),
                nonblocking=True,
            ),
            Route("GET", "/model/history", endpoints.history),
            Route(
                "GET",
                "/health",
                lambda _: Reply(service.health()),
                nonblocking=True,
                public=True,
            ),
            Route("GET", "/ready", lambda _: Reply(service.ready())),
            Route("GET", "/", _page),
            Route("GET", "/openapi.json", _openapi),
            Route("GET", "/docs", _docs),
        )
    )


def _predicted(request: Request, prediction: Prediction) -> Reply:
    request.noted["prediction_id"] = prediction.record.prediction_id
    shadows = () if prediction.shadow is None else (prediction.shadow,)
    return Reply(prediction.answer, records=(prediction.record,), shadows=shadows)


def _page(_request: Request) -> Reply:
    return Reply(_page_file(), media_type=HTML, headers=_OWN_ONLY)


@functools.cache
def _page_file() -> bytes:
    return (Path(__file__).parent / "page.html").read_bytes()


def _openapi(_request: Request) -> Reply:
    return Reply(_documents()[0])


def _docs(_request: Request) -> Reply:
    return Reply(_documents()[1], media_type=HTML)


@functools.cache
def _documents() -> tuple[bytes, bytes]:
    # Imported late: most processes are never asked for the documentation.
    from serving.docs.docs_page import docs_page  # noqa: PLC0415 - see above
    from serving.docs.openapi import openapi_document  # noqa: PLC0415 - see above

    document = openapi_document()
    return msgspec.json.encode(document), docs_page(document).encode()
