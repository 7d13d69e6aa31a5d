"""One contract for both adapters: HTTP by the server, and Lambda by its real runtime client."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest

from serving.stores.artifacts.local import FolderArtifactStore
from tests.lambda_runtime import RuntimeHost, running_function
from tests.serving.fixed import a_fixed_api
from tests.serving.support import (
    A_FLIGHT,
    ROOT,
    a_home,
    body_of,
    publish,
    running_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = {"content-type": "application/json"}
KEY = {"idempotency-key": "abc"}
FLIGHTS = b'{"flights": [%s, {}, %s]}' % (body_of(flight_number=2), body_of(flight_number=3))
OF_THE_SERVER = {"date", "connection", "server"}
Answer = tuple[int, dict[str, str], bytes]


class Adapter(Protocol):
    """Sends a request through an adapter."""

    def __call__(
        self, method: str, target: str, headers: dict[str, str], body: bytes, /
    ) -> Answer: ...


class Http:
    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        self._connection.request(method, target, body=body or None, headers=headers)
        response = self._connection.getresponse()
        return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()


def rest_event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A proxy event of a REST API (payload 1.0), as API Gateway makes it."""
    parts = urlsplit(target)
    several = parse_qs(parts.query, keep_blank_values=True)
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": headers or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": {n: v[-1] for n, v in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "requestContext": {
            "stage": "prod",
            "path": f"/prod{parts.path}",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body.decode() if body else None,
        "isBase64Encoded": False,
    }


def http_event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A proxy event of an HTTP API (payload 2.0) with a stage in its path."""
    parts = urlsplit(target)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": f"/live{parts.path}",
        "rawQueryString": parts.query,
        "headers": headers,
        "requestContext": {
            "stage": "live",
            "http": {"method": method, "path": parts.path, "sourceIp": "192.0.2.1"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


class Function:
    def __init__(self, host: RuntimeHost, make_event: Any) -> None:
        self._host = host
        self._make_event = make_event

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = self._host.invoke(self._make_event(method, target, headers, body))
        assert answer["isBase64Encoded"] is False
        return answer["statusCode"], answer["headers"], answer["body"].encode()


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Adapter]]:
    """Each adapter over a home of its own that holds the same."""
    folder = tmp_path_factory.mktemp("adapters")
    homes = [a_home(folder / name) for name in ("http", "rest", "http-event")]
    for home in homes:
        publish(FolderArtifactStore(home / "store"), "2", 0.4)
    with running_server(a_fixed_api(homes[0])) as address:
        functions = [
            running_function(
                "tests.serving.fixed.handler",
                cwd=ROOT,
                log=home / "function.log",
                environment={"ONTIME_HOME": str(home)},
            )
            for home in homes[1:]
        ]
        with functions[0] as rest, functions[1] as http_api:
            yield [Http(address), Function(rest, rest_event), Function(http_api, http_event)]


def requests() -> dict[str, tuple[str, str, dict[str, str], bytes]]:
    """Requests by what they are about; their order counts, for ids are counted."""
    flight = body_of()
    in_text = {"content-type": "text/plain"}
    asked: dict[str, tuple[str, str, dict[str, str], bytes]] = {
        "health": ("GET", "/health", {}, b""),
        "ready": ("GET", "/ready/", {"x-request-id": "abc-1"}, b""),
        "model": ("GET", "/model", {"x-request-id": "not an id"}, b""),
        "head": ("HEAD", "/model", {}, b""),
        "a prediction": ("POST", "/model/predict", JSON, flight),
        "another": ("POST", "/model/predict/", JSON, body_of(carrier="B6")),
        "as of": ("POST", "/model/predict", JSON, body_of(as_of="2013-12-31T12:00Z")),
        "in other words": (
            "POST",
            "/model/predict",
            {"Content-Type": "Application/JSON; charset=utf-8"},
            flight,
        ),
        "history": ("GET", "/model/history", {}, b""),
        "a page": ("GET", "/model/history?limit=1", {}, b""),
        "of a flight": ("GET", "/model/history?flight_id=B6-642-2013123115&limit=3", {}, b""),
        "a bad limit": ("GET", "/model/history?limit=%C3%A9", {}, b""),
        "an unknown parameter": ("GET", "/model/history?a%26b=1", {}, b""),
        "a parameter twice": ("GET", "/model/history?limit=1&limit=2", {}, b""),
        "a switch": ("POST", "/model/load", JSON, b'{"version": "2"}'),
        "by the other": ("POST", "/model/predict", JSON, flight),
        "and back": ("POST", "/model/load", JSON, b'{"alias": "champion"}'),
        "no such version": ("POST", "/model/load", JSON, b'{"version": "9"}'),
        "a batch": ("POST", "/model/predict/batch", JSON, FLIGHTS),
        "a batch in part": ("POST", "/model/predict/batch/", JSON, b'{"flights": [{}, 7]}'),
        "once": ("POST", "/model/predict", JSON | KEY, flight),
        "once again": ("POST", "/model/predict", JSON | KEY, flight),
        "once otherwise": ("POST", "/model/predict", JSON | KEY, body_of(carrier="B6")),
        "no job": ("GET", "/model/predict/async/nobody", {}, b""),
        "the card": ("GET", "/model/card", {}, b""),
        "no card": ("GET", "/model/card?alias=challenger", {}, b""),
        "by time": ("GET", "/model/history?since=2014-01-01T00%3A00%3A00%2B00%3A00", {}, b""),
        "no json": ("POST", "/model/predict", JSON, b"{"),
        "no text": ("POST", "/model/predict", JSON, '{"carrier": "\xe9"}'.encode()),
        "no body": ("POST", "/model/predict", JSON, b""),
        "an unknown airport": ("POST", "/model/predict", JSON, body_of(destination="XXX")),
        "deep": ("POST", "/model/predict", JSON, b"[" * 900 + b"]" * 900),
        "too large": ("POST", "/model/predict", JSON, flight + b" " * 3000),
        "as text": ("POST", "/model/predict", in_text, flight),
        "without a type": ("POST", "/model/predict", {}, b""),
        "nowhere": ("GET", "/people/ada%40example.org", {}, b""),
        "the wrong method": ("DELETE", "/model/predict", {}, b""),
        "another wrong method": ("POST", "/health", JSON, flight),
        "the document": ("GET", "/openapi.json", {}, b""),
        "the documentation": ("GET", "/docs", {}, b""),
        "as ReDoc": ("GET", "/redoc/", {}, b""),
        "a file of it": ("GET", "/docs/swagger-ui.css", {}, b""),
        "the page": ("GET", "/", {}, b""),
    }
    for field in A_FLIGHT:
        asked[f"without {field}"] = ("POST", "/model/predict", JSON, body_of(**{field: ...}))
    return asked


def target_of(request: tuple[str, str, dict[str, str], bytes]) -> str:
    return request[1].rstrip("/")


def test_every_adapter_answers_the_same_bytes(adapters: list[Adapter]) -> None:
    seen = set()
    for name, request in requests().items():
        # Given the same request through each adapter
        http_answer, *others = [adapter(*request) for adapter in adapters]
        status, headers, body = http_answer
        headers = {name: value for name, value in headers.items() if name not in OF_THE_SERVER}
        # Then status, headers and body are the same
        for other, prefix in zip(others, (b"/prod", b"/live"), strict=True):
            # A page of the documentation names its files below the stage of the gateway.
            if target_of(request) in {"/docs", "/redoc"}:
                other_body = other[2].replace(b'="' + prefix, b'="')
                assert other_body == body
                assert other[1]["content-length"] == str(len(other[2]))
            else:
                assert other == (status, headers, body), name
        seen.add(status)
        assert (status < 400) == (headers["content-type"] != "application/problem+json"), name
    # And all kinds of answers were among them
    assert seen == {200, 400, 404, 405, 413, 415, 422}


def test_a_prediction_by_lambda_is_in_the_history(adapters: list[Adapter]) -> None:
    for adapter in adapters:
        _, _, body = adapter("POST", "/model/predict", JSON, body_of(flight_number=7))
        answer = json.loads(body)
        _, _, page = adapter("GET", f"/model/history?flight_id={answer['flight_id']}", {}, b"")
        assert [item["prediction_id"] for item in json.loads(page)["items"]] == [
            answer["prediction_id"]
        ]


def test_a_later_prediction_is_accepted_where_the_stage_puts_it(adapters: list[Adapter]) -> None:
    for adapter, prefix in zip(adapters, ("", "/prod", "/live"), strict=True):
        status, headers, body = adapter("POST", "/model/predict/async", JSON, body_of())
        assert status == 202
        assert headers["location"] == f"{prefix}/model/predict/async/{json.loads(body)['id']}"
