"""Events of API Gateway: paths below a base path, and events that are no request."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from serving.http.api import Api
from serving.lambdas.api_handler import LambdaAdapter
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = "api.example.com"
OF_THE_GATEWAY = "a1b2c3.execute-api.eu-central-1.amazonaws.com"


@pytest.fixture
def adapter(home: Path) -> LambdaAdapter:
    return LambdaAdapter(Api(a_service(home, SETTINGS)))


def rest(path: str, *, method: str = "GET", **changes: Any) -> dict[str, Any]:
    """A REST event; `path` is as called, with the base path."""
    own = "/" + path.strip("/").partition("/")[2]
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"content-type": "application/json"},
        "pathParameters": {"proxy": own.strip("/")},
        "requestContext": {"stage": "prod", "path": path, "domainName": DOMAIN},
        "body": body_of().decode() if method == "POST" else None,
        **changes,
    }


def http(path: str, *, method: str = "GET", **changes: Any) -> dict[str, Any]:
    """An HTTP API event whose route matches every path."""
    return {
        "routeKey": "$default",
        "rawPath": path,
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "stage": "$default",
            "domainName": DOMAIN,
            "http": {"method": method, "path": path},
        },
        "body": body_of().decode() if method == "POST" else None,
        **changes,
    }


BASED = {
    "rest": lambda path, method: rest(f"/v1{path}", method=method),
    "rest, path without it": lambda path, method: {
        **rest(f"/v1{path}", method=method),
        "path": path,
    },
    "rest, fixed route": lambda path, method: rest(
        f"/v1{path}", method=method, resource=path, pathParameters=None
    ),
    "http": lambda path, method: http(f"/v1{path}", method=method),
    "http, two levels": lambda path, method: http(f"/flights/v1{path}", method=method),
    "http, named route": lambda path, method: http(
        f"/v1{path}",
        method=method,
        routeKey="ANY /{proxy+}",
        pathParameters={"proxy": path.strip("/")},
    ),
}


@pytest.mark.parametrize("form", BASED)
def test_a_request_below_a_base_path_is_routed(adapter: LambdaAdapter, form: str) -> None:
    # Given events of a custom domain with a base path
    assert adapter(BASED[form]("/health", "GET"), None)["statusCode"] == 200
    assert adapter(BASED[form]("/model/", "GET"), None)["statusCode"] == 200
    # Then a job is found below it
    answer = adapter(BASED[form]("/model/predict/async", "POST"), None)
    assert answer["statusCode"] == 202
    base = "/flights/v1" if "levels" in form else "/v1"
    where = answer["headers"]["location"]
    assert where == f"{base}/model/predict/async/{json.loads(answer['body'])['id']}"
    found = adapter(BASED[form](where.removeprefix(base), "GET"), None)
    assert found["statusCode"] == 200


def test_a_path_of_the_gateways_own_domain_is_taken_as_it_is(adapter: LambdaAdapter) -> None:
    event = http("/v1/health")
    event["requestContext"]["domainName"] = OF_THE_GATEWAY
    assert adapter(event, None)["statusCode"] == 404
    assert adapter(http("/v1/nothing"), None)["statusCode"] == 404


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"Records": [{"messageId": "1", "body": "{}"}]},
        {"requestContext": {"http": {}}},
        {"requestContext": "x"},
        {"requestContext": None, "httpMethod": None},
        {"httpMethod": "GET", "path": "/health", "headers": "x"},
        {**http("/model/predict", method="POST"), "isBase64Encoded": True, "body": "*"},
        {**http("/model/predict", method="POST"), "body": {"carrier": "UA"}},
        {"\x1b[2K": 1},
        [],
        None,
        "ping",
    ],
)
def test_an_event_that_is_no_request_is_answered(
    adapter: LambdaAdapter, caplog: pytest.LogCaptureFixture, event: Any
) -> None:
    with caplog.at_level(logging.INFO, "ontime.serving"):
        answer = adapter(event, None)
    assert answer["statusCode"] == 400
    problem = json.loads(answer["body"])
    assert problem["type"] == "urn:ontime:problem:not-a-request"
    assert problem["detail"].isprintable()
    # And it is a line of the log, without an error
    assert [record.levelname for record in caplog.records] == ["INFO"]
