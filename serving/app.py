"""The HTTP adapter: FastAPI over the service. Bodies are read raw and decoded once, by the core."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from serving.docs_page import docs_page
from serving.frame import RequestFrame
from serving.logs import log
from serving.openapi import DESCRIPTION, TITLE, VERSION, openapi_document
from serving.problems import (
    MEDIA_TYPE,
    BodyTooLargeError,
    MethodNotAllowedError,
    NotFoundError,
    ProblemError,
    UnsupportedMediaTypeError,
)
from serving.recorder import GroupRecorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from serving.service import PredictionService

JSON: Final = "application/json"


class HttpEndpoints:
    """One method for each path and method; each asks the service.

    Args:
        service: Answers.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service
        self._recorder: GroupRecorder | None = None

    @contextlib.asynccontextmanager
    async def running(self, _app: FastAPI) -> AsyncIterator[None]:
        """Follow releases and keep predictions while the application runs."""
        await asyncio.to_thread(self._service.refresh)
        recorder = self._recorder = GroupRecorder(self._service.history)
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.to_thread(recorder.close)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._service.settings.follow_seconds)
            try:
                await asyncio.to_thread(self._service.refresh)
            except Exception as error:  # noqa: BLE001 - following must go on, whatever happens
                log(logging.ERROR, "following_failed", error=error)

    async def predict(self, request: Request) -> Response:
        """`POST /model/predict`: the answer is given once it is in the history."""
        prediction = self._service.predict(await self._json_body(request))
        assert self._recorder is not None  # noqa: S101 - requests come while `running`
        await self._recorder.keep(prediction.record)
        request.state.log["prediction_id"] = prediction.record.prediction_id
        return Response(prediction.answer, media_type=JSON)

    async def load(self, request: Request) -> Response:
        """`POST /model/load`."""
        body = await self._json_body(request)
        return Response(await asyncio.to_thread(self._service.load, body), media_type=JSON)

    async def model(self, _request: Request) -> Response:
        """`GET /model`."""
        return Response(self._service.model(), media_type=JSON)

    async def history(self, request: Request) -> Response:
        """`GET /model/history`."""
        query = dict(request.query_params)
        page = await asyncio.to_thread(self._service.history_page, query)
        return Response(page, media_type=JSON)

    async def health(self, _request: Request) -> Response:
        """`GET /health`."""
        return Response(self._service.health(), media_type=JSON)

    async def ready(self, _request: Request) -> Response:
        """`GET /ready`."""
        return Response(await asyncio.to_thread(self._service.ready), media_type=JSON)

    async def _json_body(self, request: Request) -> bytes:
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != JSON:
            raise UnsupportedMediaTypeError(
                f"The content type is '{declared[:60]}': send the header "
                f"'content-type: {JSON}' with a JSON body."
            )
        most = self._service.settings.max_body_bytes
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise BodyTooLargeError(
                    f"The body is larger than {most} bytes: send one flight in a request."
                )
        return bytes(body)


def create_app(service: PredictionService) -> ASGIApp:
    """Return the application over a service."""
    endpoints = HttpEndpoints(service)
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        lifespan=endpoints.running,
        redirect_slashes=False,
        docs_url=None,  # FastAPI's page loads its scripts from a public network
        redoc_url=None,
    )
    document = openapi_document()
    page = docs_page(document)

    async def docs(_request: Request) -> Response:
        return Response(page, media_type="text/html")

    app.openapi = lambda: document  # type: ignore[method-assign] # FastAPI's own way to do so
    for path, method, endpoint in (
        ("/health", "GET", endpoints.health),
        ("/ready", "GET", endpoints.ready),
        ("/model", "GET", endpoints.model),
        ("/model/predict", "POST", endpoints.predict),
        ("/model/load", "POST", endpoints.load),
        ("/model/history", "GET", endpoints.history),
        ("/docs", "GET", docs),
    ):
        app.add_route(path, endpoint, methods=[method])
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_routing_problem)
    return RequestFrame(app, paths=frozenset([*document["paths"], "/docs", "/openapi.json"]))


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, ProblemError) else ProblemError(str(error))
    request.state.log["problem"] = problem.slug
    return Response(
        problem.to_json(request.state.request_id), problem.status, media_type=MEDIA_TYPE
    )


async def _answer_routing_problem(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such path, or not with this method."""
    headers: dict[str, Any] = dict(getattr(error, "headers", None) or {})
    if getattr(error, "status_code", None) == MethodNotAllowedError.status:
        allowed = headers.get("Allow", "another method")
        problem: ProblemError = MethodNotAllowedError(
            f"{request.url.path} does not take {request.method}: use {allowed}."
        )
    else:
        problem = NotFoundError(
            f"There is no {request.url.path[:80]}: see /docs for the paths that there are."
        )
    response = await _answer_problem(request, problem)
    response.headers.update(headers)
    return response
