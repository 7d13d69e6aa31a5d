"""The Lambda function behind API Gateway: handles proxy events with the same API.

API Gateway passes a request to a function in two forms: REST (1.0) and HTTP (2.0).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from ontime_base.typed_text import one_line
from serving.http.api import Api
from serving.http.messages import Request, without_end_slash
from serving.lambdas.function import function_service, lambda_handler
from serving.schema.problems import NotARequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from serving.http.messages import Reply

_DEFAULT_STAGE: Final = "$default"
_GATEWAY_DOMAIN: Final = ".execute-api."
_DEEPEST_BASE_PATH: Final = 4
_PLACE: Final = re.compile(r"\{(\w+)\+?\}")
# What reading an event raises that lacks a part of a request, or has one of another type.
_UNLIKE: Final = (KeyError, TypeError, AttributeError, ValueError)


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request in a proxy event of either form.

    Raises:
        NotARequestError: It is neither.
    """
    context = event.get("requestContext") or {}
    if "http" in context:
        request = _http_request(event, context)
    elif "httpMethod" in event:
        request = _rest_request(event, context)
    else:
        fields = one_line(", ".join(sorted(event))[:200]) or "none"
        raise NotARequestError(
            f"The event has the fields {fields}, and is no request of API Gateway: give this "
            "function a proxy integration (payload 1.0 or 2.0)."
        )
    body = event.get("body") or ""
    request.body = (
        base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    )
    return request


def response_of(
    reply: Reply, request: Request, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, Any]:
    """Return the reply in the form that both take. All our bodies are text."""
    return {
        "statusCode": reply.status,
        "headers": {name.decode(): value.decode("latin-1") for name, value in headers},
        "body": "" if request.method == "HEAD" else reply.body.decode(),
        "isBase64Encoded": False,
    }


def _http_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    http = context["http"]
    path = unquote(event.get("rawPath") or "/")
    template = str(event.get("routeKey") or "").partition(" ")[2]
    path, prefix = _own_path(path, template, event) or _without_stage(path, context.get("stage"))
    return Request(
        method=http["method"].upper(),
        path=path,
        query=event.get("rawQueryString") or "",
        headers=_headers(event.get("headers") or {}),
        client=http.get("sourceIp") or "",
        prefix=prefix,
    )


def _rest_request(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    path = unquote(event.get("path") or "/")
    path, prefix = _own_path(path, str(event.get("resource") or ""), event) or _without_stage(
        path, context.get("stage")
    )
    called = unquote(context.get("path") or "")  # with the stage, where the caller's path had it
    if not prefix and called.endswith(path):
        prefix = called.removesuffix(path)
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


def _own_path(path: str, template: str, event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return path and prefix by the route that the gateway has matched; None if it names none.

    With a custom domain a path has the base path in front, which the route does not have.
    """
    parameters = event.get("pathParameters") or {}
    names = _PLACE.findall(template)
    if not names or any(not parameters.get(name) for name in names):
        return None
    own = unquote(_PLACE.sub(lambda found: str(parameters[found[1]]), template))
    if not path.rstrip("/").endswith(own.rstrip("/")):
        return None
    return own, path.rstrip("/").removesuffix(own.rstrip("/"))


def _without_stage(path: str, stage: str | None) -> tuple[str, str]:
    prefix = f"/{stage}"
    if not stage or stage == _DEFAULT_STAGE or not f"{path}/".startswith(f"{prefix}/"):
        return path, ""
    return path[len(prefix) :] or "/", prefix


def _without_base_path(
    request: Request, event: Mapping[str, Any], known: Callable[[str], object]
) -> None:
    """Move the base path of a custom domain from the path to the prefix.

    A route that matches every path does not say where it ends: what follows it is a path of ours.
    """
    domain = str((event.get("requestContext") or {}).get("domainName") or "")
    if _GATEWAY_DOMAIN in domain or known(without_end_slash(request.path)):
        return
    parts = request.path.strip("/").split("/")
    for at in range(1, min(len(parts), _DEEPEST_BASE_PATH + 1)):
        path = "/" + "/".join(parts[at:])
        if known(path):
            request.prefix += "/" + "/".join(parts[:at])
            request.path = path
            return


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
        api = self._api
        api.service.refresh_when_due()
        try:
            request = request_of(event)
        except (NotARequestError, *_UNLIKE) as error:
            return self._refused(error)
        _without_base_path(request, event, api.table.path_of)
        reply = api.answer(request)
        return response_of(reply, request, api.headers(request, reply))

    def _refused(self, error: Exception) -> dict[str, Any]:
        """Answer an event that is no request, such as a scheduled one that keeps a function warm.

        It is no error of the function, which would be counted, and the event delivered again.
        """
        api, request = self._api, Request("", "-")
        started = api.seconds()
        api.begin(request)
        if not isinstance(error, NotARequestError):
            error = NotARequestError(
                "The event is no request of API Gateway: a part of it is missing or of another "
                "type. Give this function a proxy integration (payload 1.0 or 2.0)."
            )
        reply = api.failure(request, error)
        api.end(request, reply.status, started)
        return response_of(reply, request, api.headers(request, reply))


handler = lambda_handler(lambda: LambdaAdapter(Api(function_service())))
