"""What surrounds every HTTP request: request id, problem details, one log line, both slash forms.

A plain ASGI application around another one, so that it costs little and sees everything.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from serving.clock import new_prediction_id
from serving.logs import log
from serving.problems import MEDIA_TYPE, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID: Final = b"x-request-id"
CLIENT_CLOSED: Final = 499
"""Logged where the caller has gone before it was answered (a status that nginx made known)."""
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestFrame:
    """Wraps an application.

    Args:
        app: The application.
        paths: Its paths; a request for another one is logged as `other`, for a path may hold
            anything.
        new_id: Makes the id of a request that brings none.
    """

    def __init__(
        self, app: ASGIApp, *, paths: frozenset[str], new_id: Callable[[], str] = new_prediction_id
    ) -> None:
        self._app = app
        self._paths = paths
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (or the life of the application)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        scope["path"] = scope["path"].rstrip("/") or "/"
        request_id = _given_id(scope) or self._new_id()
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "log": {}}
        status = 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_framed)
        except ClientDisconnect:
            status = CLIENT_CLOSED
        except Exception as error:
            log(logging.ERROR, "request_failed", error=error, request_id=request_id)
            if status:  # part of an answer is out: only breaking off says that it is not whole
                raise
            await _send_failure(send_framed, request_id)
        path = scope["path"] if scope["path"] in self._paths else "other"
        log(
            logging.INFO,
            "request",
            request_id=request_id,
            method=scope["method"],
            path=path,
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 3),
            **scope["state"]["log"],
        )


async def _send_failure(send: Send, request_id: str) -> None:
    problem = ProblemError(
        "The service failed in a way it does not know. The cause is in its log under this request "
        "id; send the request again, or ask whoever runs the service."
    )
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.to_json(request_id)})


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            text: str = value.decode("latin-1")
            return text if _GIVEN_ID.fullmatch(text) else None
    return None
