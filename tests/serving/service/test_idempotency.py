"""The same key and body get the same answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from serving.http.api import Api
from serving.http.messages import Request
from serving.stores.errors import StoreError
from serving.stores.idempotency.sqlite import SqliteIdempotencyStore
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

    from serving.http.messages import Reply
    from serving.service.prediction_service import PredictionService
    from serving.stores.idempotency.protocol import Begun

FLIGHTS = b'{"flights": [%s]}' % body_of()


@pytest.fixture
def service(home: Path) -> PredictionService:
    return a_service(home, SETTINGS)


@pytest.fixture
def api(service: PredictionService) -> Api:
    return Api(service)


def post(api: Api, key: bytes, body: bytes = body_of(), path: str = "/model/predict") -> Reply:
    headers = {b"content-type": b"application/json", b"idempotency-key": key}
    return api.answer(Request("POST", path, headers=headers, body=body))


def problem(reply: Reply) -> tuple[int, str]:
    details: dict[str, Any] = json.loads(reply.body)
    return reply.status, details["type"].rpartition(":")[2]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/model/predict", body_of()),
        ("/model/predict/batch", FLIGHTS),
        ("/model/predict/async", body_of()),
    ],
)
def test_the_same_key_and_body_get_the_same_bytes(
    api: Api, service: PredictionService, path: str, body: bytes
) -> None:
    # Given a request that was answered, When it is sent again, Then so is the answer
    first, again = post(api, b"k1", body, path), post(api, b"k1", body, path)
    assert (again.status, again.body, again.headers) == (first.status, first.body, first.headers)
    # And it was done once
    service.jobs.process_messages(wait_seconds=0)
    assert len(json.loads(service.history_page({}))["items"]) == 1
    # And another key is another request
    assert post(api, b"k2", body, path).body != first.body


def test_a_key_with_another_body_is_refused(api: Api) -> None:
    post(api, b"k1")
    assert problem(post(api, b"k1", body_of(carrier="B6"))) == (422, "idempotency-key-reused")
    # And a key of another path is another key
    assert post(api, b"k1", FLIGHTS, "/model/predict/batch").status == 200


def test_a_request_that_failed_may_be_sent_again(api: Api) -> None:
    # Given a key whose first request was refused, Then a better one may use it
    assert post(api, b"k1", b"{}").status == 422
    assert post(api, b"k1").status == 200


@pytest.mark.parametrize("key", [b"", b"x" * 129, b"a b", b"\xe9"])
def test_what_cannot_be_a_key_is_refused(api: Api, key: bytes) -> None:
    assert problem(post(api, key)) == (422, "invalid-request")


def test_a_second_request_while_the_first_is_in_progress_is_refused(
    api: Api, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Reply] = []
    predict = service.predict

    def slow(body: bytes, **named: Any) -> Any:
        if not seen:
            seen.append(post(api, b"k1"))
        return predict(body, **named)

    monkeypatch.setattr(service, "predict", slow)
    assert post(api, b"k1").status == 200
    assert problem(seen[0]) == (409, "idempotency-key-in-use")
    assert seen[0].headers == ((b"retry-after", b"1"),)


class UnreadableStore(SqliteIdempotencyStore):
    def begin(self, key: str, **_: Any) -> Begun:
        raise StoreError(f"it is down: no read of {key}")


class UnwritableStore(SqliteIdempotencyStore):
    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        del claim, answer
        raise StoreError(f"it is down: no write of {key}")


@pytest.mark.parametrize("failing", [UnreadableStore, UnwritableStore])
def test_without_its_store_a_request_is_refused(
    home: Path, failing: type[SqliteIdempotencyStore]
) -> None:
    api = Api(a_service(home, SETTINGS, idempotency=failing(home / "work.db")))
    assert problem(post(api, b"k1")) == (503, "store-unavailable")
