"""What surrounds every request, around small applications that misbehave."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from serving.frame import RequestFrame

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def fine(scope: Scope, _receive: Receive, send: Send) -> None:
    scope["state"]["log"]["prediction_id"] = "p1"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("secret inner state")


async def breaking_off(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("half way")


def framed(app: ASGIApp) -> RequestFrame:
    return RequestFrame(app, paths=frozenset({"/model"}), new_id=lambda: "made")


def get(app: ASGIApp, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(framed(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(call())


def request_line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined] # set by `log`
    return fields


@pytest.mark.parametrize(
    ("path", "seen"), [("/model/", "/model"), ("/model", "/model"), ("/", "/"), ("//", "/")]
)
def test_a_trailing_slash_is_taken_off(path: str, seen: str) -> None:
    assert get(fine, path).text == seen


def test_one_line_per_request_without_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    # Given a request with a query, a known id and a header of a person
    with caplog.at_level(logging.INFO, "ontime.serving"):
        get(fine, "/model/?name=Ada", {"x-request-id": "r1", "authorization": "Bearer secret"})
    # Then its line says what was asked, how it went, and no more
    line = request_line(caplog)
    assert line.pop("ms") >= 0
    assert line == {
        "request_id": "r1",
        "method": "GET",
        "path": "/model",
        "status": 200,
        "prediction_id": "p1",
    }


def test_a_path_of_the_callers_own_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ontime.serving"):
        get(fine, "/people/ada@example.org")
    assert request_line(caplog)["path"] == "other"


def test_a_failure_is_a_problem_and_its_cause_only_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "ontime.serving"):
        response = get(failing, "/model")
    # Then the caller gets an id to ask with, and nothing of the inside
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"] == "made"
    assert "secret" not in response.text
    assert "secret inner state" in caplog.text
    assert request_line(caplog)["status"] == 500


def test_an_answer_half_out_is_broken_off() -> None:
    # Given an application that fails in the middle, Then the frame does not add a second answer
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "path": "/model", "method": "GET", "headers": []}
    with pytest.raises(ValueError, match="half way"):
        asyncio.run(framed(breaking_off)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_a_caller_who_has_gone_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    # Given an application that finds its caller gone
    async def left(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "path": "/model", "method": "POST", "headers": []}
    with caplog.at_level(logging.INFO, "ontime.serving"):
        asyncio.run(framed(left)(scope, receive, send))
    # Then nothing is sent, and the log has one quiet line
    assert sent == []
    assert request_line(caplog)["status"] == 499
    assert len(caplog.records) == 1


def test_what_is_no_request_passes_through() -> None:
    seen: list[str] = []

    async def lifespan(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(json.dumps(scope))

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    asyncio.run(framed(lifespan)({"type": "lifespan"}, nothing, nothing))
    assert seen == ['{"type": "lifespan"}']
