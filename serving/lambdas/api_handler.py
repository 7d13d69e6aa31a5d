"""The Lambda function behind API Gateway: handles proxy events with the same API.

API Gateway passes a request to a function in two forms: REST (1.0) and HTTP (2.0).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from ontime_base.errors import OntimeError
from serving.http.api import Api
from serving.http.messages import Request
from serving.lambdas.function import function_service, lambda_handler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.http.messages import Reply

_DEFAULT_STAGE: Final = "$default"


class EventError(OntimeError):
    """A function received an event that is no HTTP request."""


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request in a proxy event of either form.

    Raises:
        EventError: It is neither.
    """
    context = event.get("requestContext") or {}
    if "http" in context:
        request = _http_request(event, context)
    elif "httpMethod" in event:
        request = _rest_request(event, context)
    else:
        raise EventError(
            f"The event has the fields {', '.join(sorted(event))[:200]}, and is no request of API "
            "Gateway: give this function a proxy integration (payload 1.0 or 2.0)."
        )
    body = event.get("body") or ""
    request.body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    return request


def response_of(reply: Reply, request: Request) -> dict[str, Any]:
    """Return the reply in the form that both take. All our bodies are text."""
    headers = {
        name.decode(): value.decode("latin-1")
        for name, value in reply.all_headers(request.request_id)
    }
    return {
        "statusCode": reply.status,
        "headers": headers,
        "body": "" if request.method == "HEAD" else reply.body.decode(),
        "isBase64Encoded": False,
    }


def _http_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    http = context["http"]
    path, prefix = _without_stage(unquote(event.get("rawPath") or "/"), context.get("stage"))
    return Request(
        method=http["method"].upper(),
        path=path,
        query=event.get("rawQueryString") or "",
        headers=_headers(event.get("headers") or {}),
        client=http.get("sourceIp") or "",
        prefix=prefix,
    )


def _rest_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    stage = context.get("stage")
    path, prefix = _without_stage(unquote(event.get("path") or "/"), stage)
    called = context.get("path") or ""  # with the stage, where the caller's path had it
    if not prefix and stage and called.startswith(f"/{stage}/"):
        prefix = f"/{stage}"
    several = event.get("multiValueHeaders") or {}
    single = {name: values[-1] for name, values in several.items() if values}
    queries = event.get("multiValueQueryStringParameters")
    return Request(
        method=event["httpMethod"].upper(),
        path=path,
        query=urlencode(queries or event.get("queryStringParameters") or {}, doseq=True),
        headers=_headers(single or event.get("headers") or {}),
        client=(context.get("identity") or {}).get("sourceIp") or "",
        prefix=prefix,
    )


def _without_stage(path: str, stage: str | None) -> tuple[str, str]:
    prefix = f"/{stage}"
    if not stage or stage == _DEFAULT_STAGE or not f"{path}/".startswith(f"{prefix}/"):
        return path, ""
    return path[len(prefix) :] or "/", prefix


def _headers(given: Mapping[str, str]) -> dict[bytes, bytes]:
    return {
        name.lower().encode("latin-1", "replace"): value.encode("latin-1", "replace")
        for name, value in given.items()
    }


class LambdaAdapter:
    """Answers proxy events.

    Args:
        api: Answers.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Answer one event; nothing runs between events, so the release is refreshed here."""
        self._api.service.refresh_when_due()
        request = request_of(event)
        return response_of(self._api.answer(request), request)


handler = lambda_handler(lambda: LambdaAdapter(Api(function_service())))
