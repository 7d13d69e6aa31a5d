"""What surrounds every request: its name, its id, its answer whatever happens, its one line."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from serving.http.api import Api
from serving.http.messages import Request
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

    from serving.service.prediction_service import PredictionService

JSON = {b"content-type": b"application/json"}


@pytest.fixture
def service(home: Path) -> PredictionService:
    return a_service(home, SETTINGS)


@pytest.fixture
def api(service: PredictionService) -> Api:
    return Api(service, new_id=lambda: "made")


def request_line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined] # set by `log`
    return fields


@pytest.mark.parametrize("path", ["/model", "/model/", "/model//"])
def test_a_trailing_slash_is_taken_off(api: Api, path: str) -> None:
    assert api.answer(Request("GET", path)).status == 200


def test_the_request_id_is_reused_or_generated(api: Api) -> None:
    for given, expected in ((b"abc-123", "abc-123"), (b"", "made"), (b"a b", "made")):
        request = Request("GET", "/health", headers={b"x-request-id": given})
        reply = api.answer(request)
        assert dict(reply.all_headers(request.request_id))[b"x-request-id"] == expected.encode()


def test_one_line_per_request_without_personal_data(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a request with a query, a known id and a header of a person
    headers = {**JSON, b"x-request-id": b"r1", b"cookie": b"secret"}
    request = Request(
        "POST", "/model/predict/", "", headers=headers, client="192.0.2.1", body=body_of()
    )
    with caplog.at_level(logging.INFO, "ontime.serving"):
        api.answer(request)
    # Then its log line has the request and its outcome, and no more
    line = request_line(caplog)
    assert line.pop("ms") >= 0
    assert len(line.pop("prediction_id")) == 36
    assert line == {
        "request_id": "r1",
        "method": "POST",
        "path": "/model/predict",
        "status": 200,
    }


def test_a_path_of_the_callers_own_is_not_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ontime.serving"):
        api.answer(Request("GET", "/people/ada@example.org"))
    assert request_line(caplog)["path"] == "other"


def test_a_failure_is_a_problem_and_its_cause_only_in_the_log(
    service: PredictionService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a service with an unexpected error
    def failing() -> bytes:
        raise ValueError("secret inner state")

    monkeypatch.setattr(service, "model", failing)
    with caplog.at_level(logging.INFO, "ontime.serving"):
        reply = Api(service, new_id=lambda: "made").answer(Request("GET", "/model"))
    # Then the caller gets an id for inquiries, and no internal details
    assert (reply.status, reply.media_type) == (500, "application/problem+json")
    assert json.loads(reply.body)["request_id"] == "made"
    assert b"secret" not in reply.body
    assert "secret inner state" in caplog.text
    assert request_line(caplog)["status"] == 500


def test_a_declared_length_is_refused_before_the_body_is_read(api: Api) -> None:
    request = Request("POST", "/model/predict", headers={**JSON, b"content-length": b"9" * 30})
    assert api.answer(request).status == 413
