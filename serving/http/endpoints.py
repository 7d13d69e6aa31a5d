"""The endpoints: each decodes a request, calls the service, and encodes the reply."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from serving.docs import pages
from serving.http.messages import Reply
from serving.http.routes import Route, RouteTable
from serving.schema.problems import ProblemError
from serving.service.pagination import HISTORY_PARAMETERS
from serving.telemetry.metrics import MEDIA_TYPE as METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serving.http.messages import Request
    from serving.inference.predictor import Prediction
    from serving.service.prediction_service import PredictionService

# The page loads nothing, and sends requests to this service alone.
_POLICY: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    b"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_CSP: Final = b"content-security-policy"
_CACHED: Final = ((b"cache-control", b"max-age=86400"),)
HTML: Final = "text/html; charset=utf-8"
ASYNC: Final = "/model/predict/async"
ACCEPTED: Final = 202


class Endpoints:
    """One method for each operation that does more than call the service.

    Args:
        service: Answers.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def predict(self, request: Request) -> Reply:
        """`POST /model/predict`: the reply names the prediction to commit before it is sent."""
        explain = bool(request.query) and request.flag("explain")
        return _predicted(request, self._service.predict(request.body, explain=explain))

    def predict_many(self, requests: Sequence[Request]) -> list[Reply | ProblemError]:
        """`POST /model/predict` of several requests, as one micro-batch."""
        found = self._service.predict_many([request.body for request in requests])
        return [
            each if isinstance(each, ProblemError) else _predicted(request, each)
            for request, each in zip(requests, found, strict=True)
        ]

    def predict_batch(self, request: Request) -> Reply:
        """`POST /model/predict/batch`."""
        request.parameters()
        batch = self._service.predict_batch(request.body, request_id=request.request_id)
        request.log_fields["predictions"] = len(batch.records)
        return Reply(batch.answer, records=batch.records, shadows=batch.shadows)

    def submit(self, request: Request) -> Reply:
        """`POST /model/predict/async`: accepted once it is durable."""
        request.parameters()
        job = self._service.jobs.submit(request.body)
        request.log_fields["job_id"] = job.id
        location = f"{request.prefix}{ASYNC}/{job.id}"
        headers = ((b"location", location.encode()),)
        return Reply(msgspec.json.encode(job), status=ACCEPTED, headers=headers)

    def events(self, request: Request) -> Reply:
        """`POST /events`: accepted once they are durable."""
        request.parameters()
        answer = self._service.events.submit(request.body)
        request.log_fields["events"] = answer.accepted
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
                answer_batch=endpoints.predict_many if local else None,
                scope="predict",
            ),
            Route(
                "POST",
                "/model/predict/batch",
                endpoints.predict_batch,
                max_body=many,
                scope="predict",
            ),
            Route("POST", ASYNC, endpoints.submit, max_body=one, scope="predict"),
            Route("GET", f"{ASYNC}/{{id}}", endpoints.job, scope="predict"),
            Route("POST", "/events", endpoints.events, max_body=many, scope="events"),
            Route("POST", "/model/load", endpoints.load, max_body=one, scope="operate"),
            Route("GET", "/model", lambda _: Reply(service.model()), nonblocking=True),
            Route("GET", "/model/card", endpoints.card, nonblocking=True),
            Route("GET", "/metrics", lambda _: Reply(service.metrics_text(), media_type=METRICS)),
            Route("GET", "/model/history", endpoints.history, scope="predict"),
            Route(
                "GET",
                "/health",
                lambda _: Reply(service.health()),
                nonblocking=True,
                public=True,
            ),
            Route("GET", "/ready", lambda _: Reply(service.ready())),
            Route("GET", "/", _page),
            *_docs_routes(),
        )
    )


def _predicted(request: Request, prediction: Prediction) -> Reply:
    request.log_fields["prediction_id"] = prediction.record.prediction_id
    shadows = () if prediction.shadow is None else (prediction.shadow,)
    return Reply(prediction.answer, records=(prediction.record,), shadows=shadows)


def _page(_request: Request) -> Reply:
    return Reply(_page_file(), media_type=HTML, headers=((_CSP, _POLICY),))


@functools.cache
def _page_file() -> bytes:
    return (Path(__file__).parent / "page.html").read_bytes()


def _docs_routes() -> Iterator[Route]:
    yield Route("GET", "/openapi.json", lambda _: Reply(_openapi()))
    yield Route("GET", "/docs", functools.partial(_docs_page, name="swagger_ui"))
    yield Route("GET", "/redoc", functools.partial(_docs_page, name="redoc"))
    for name in pages.ASSETS:
        yield Route("GET", f"/docs/{name}", functools.partial(_asset, name=name))


@functools.cache
def _openapi() -> bytes:
    # Imported late: most processes never serve the documentation.
    from serving.docs.openapi import openapi_document  # noqa: PLC0415 - see above

    return msgspec.json.encode(openapi_document())


def _docs_page(request: Request, *, name: Literal["swagger_ui", "redoc"]) -> Reply:
    html = pages.page(name, prefix=request.prefix)
    return Reply(html, media_type=HTML, headers=((_CSP, pages.POLICY),))


def _asset(_request: Request, *, name: str) -> Reply:
    return Reply(pages.asset(name), media_type=pages.ASSETS[name], headers=_CACHED)
