"""Many flights in one request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from serving.models.release_document import ReleasedVersion, read_release
from serving.models.traffic_split import hash_fraction
from serving.schema.problems import InvalidRequestError, NotReadyError
from serving.stores.artifacts.local import FolderArtifactStore
from tests.serving.support import SETTINGS, a_service, body_of, publish, release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving.service.prediction_service import PredictionService


@pytest.fixture
def service(home: Path) -> PredictionService:
    return a_service(home, SETTINGS)


def flights(*changes: Mapping[str, object]) -> bytes:
    return json.dumps({"flights": [json.loads(body_of(**each)) for each in changes]}).encode()


def batch(service: PredictionService, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(service.predict_batch(body, request_id="r1").answer)
    return answer


def test_each_flight_gets_what_it_gets_alone(service: PredictionService) -> None:
    # Given several flights
    changes: list[dict[str, object]] = [
        {"flight_number": 1},
        {"origin": "EWR", "destination": "PHX"},
        {"as_of": "2013-12-31T12:00Z"},
    ]
    answer = batch(service, flights(*changes))
    # Then each has the prediction that it has alone
    assert answer["failed"] == 0
    for item, change in zip(answer["items"], changes, strict=True):
        alone = json.loads(service.predict(body_of(**change)).answer)
        assert item["problem"] is None
        for name in set(alone) - {"prediction_id", "requested_at"}:
            assert item["prediction"][name] == alone[name], name


def test_a_flight_at_fault_is_no_matter_of_the_others(service: PredictionService) -> None:
    # Given a batch with one good flight between bad ones
    body = b'{"flights": [{}, %s, %s, 7]}' % (body_of(), body_of(destination="XXX"))
    made = service.predict_batch(body, request_id="r1")
    answer = json.loads(made.answer)
    # Then each has its place: a problem that says what to do, or a prediction that is kept
    assert answer["failed"] == 3
    assert [item["prediction"] is None for item in answer["items"]] == [True, False, True, True]
    problems = [item["problem"] for item in answer["items"] if item["problem"]]
    assert {problem["status"] for problem in problems} == {422}
    assert {problem["request_id"] for problem in problems} == {"r1"}
    assert "'XXX' is not one of" in problems[1]["detail"]
    assert [r.prediction_id for r in made.records] == [
        answer["items"][1]["prediction"]["prediction_id"]
    ]


def test_the_batch_is_split_by_weight_like_single_flights(home: Path) -> None:
    store = FolderArtifactStore(home / "store")
    stored = read_release(store)
    assert stored is not None
    challenger = ReleasedVersion("2", publish(store, "2", 0.4))
    release(store, stored.document.champion, challenger, weight=0.5)
    service = a_service(home, SETTINGS)
    answer = batch(service, flights(*({"flight_number": n} for n in range(1, 41))))
    for item in answer["items"]:
        version = "2" if hash_fraction(item["prediction"]["flight_id"]) < 0.5 else "1"
        assert item["prediction"]["model"]["version"] == version
    assert {item["prediction"]["model"]["version"] for item in answer["items"]} == {"1", "2"}


@pytest.mark.parametrize("number", [0, 1001])
def test_too_many_and_none_are_refused(service: PredictionService, number: int) -> None:
    body = json.dumps({"flights": [{}] * number}).encode()
    with pytest.raises(InvalidRequestError) as caught:
        service.predict_batch(body, request_id="r1")
    assert caught.value.errors[0].field == "flights"


def test_a_thousand_are_answered(service: PredictionService) -> None:
    body = flights(*({"flight_number": number} for number in range(1, 1001)))
    made = service.predict_batch(body, request_id="r1")
    assert len(made.records) == len({record.prediction_id for record in made.records}) == 1000


def test_without_a_model_the_whole_batch_fails(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError):
        a_service(tmp_path).predict_batch(flights({}), request_id="r1")
