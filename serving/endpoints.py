"""What each path answers: from a request to a reply, by the use cases of the service."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import msgspec

from serving.messages import Reply
from serving.routes import Route, RouteTable
from serving.service import HISTORY_PARAMETERS

if TYPE_CHECKING:
    from serving.messages import Request
    from serving.service import PredictionService

HTML: Final = "text/html; charset=utf-8"


class Endpoints:
    """One method for each path and method.

    Args:
        service: Answers.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def predict(self, request: Request) -> Reply:
        """`POST /model/predict`: the reply names what to keep before it is given."""
        request.parameters()
        prediction = self._service.predict(request.body)
        request.noted["prediction_id"] = prediction.record.prediction_id
        return Reply(prediction.answer, records=(prediction.record,))

    def load(self, request: Request) -> Reply:
        """`POST /model/load`."""
        request.parameters()
        return Reply(self._service.load(request.body))

    def model(self, _request: Request) -> Reply:
        """`GET /model`."""
        return Reply(self._service.model())

    def history(self, request: Request) -> Reply:
        """`GET /model/history`."""
        return Reply(self._service.history_page(request.parameters(*HISTORY_PARAMETERS)))

    def health(self, _request: Request) -> Reply:
        """`GET /health`."""
        return Reply(self._service.health())

    def ready(self, _request: Request) -> Reply:
        """`GET /ready`."""
        return Reply(self._service.ready())


def route_table(service: PredictionService) -> RouteTable:
    """Return the routes of the service."""
    endpoints = Endpoints(service)
    most = service.options.max_body_bytes
    return RouteTable(
        (
            Route("POST", "/model/predict", endpoints.predict, max_body=most, quick=True),
            Route("POST", "/model/load", endpoints.load, max_body=most),
            Route("GET", "/model", endpoints.model, quick=True),
            Route("GET", "/model/history", endpoints.history),
            Route("GET", "/health", endpoints.health, quick=True, public=True),
            Route("GET", "/ready", endpoints.ready),
            Route("GET", "/openapi.json", _openapi),
            Route("GET", "/docs", _docs),
        )
    )


def _openapi(_request: Request) -> Reply:
    return Reply(_documents()[0])


def _docs(_request: Request) -> Reply:
    return Reply(_documents()[1], media_type=HTML)


@functools.cache
def _documents() -> tuple[bytes, bytes]:
    # Imported late: most processes are never asked for the documentation.
    from serving.docs_page import docs_page  # noqa: PLC0415 - see above
    from serving.openapi import openapi_document  # noqa: PLC0415 - see above

    document = openapi_document()
    return msgspec.json.encode(document), docs_page(document).encode()
