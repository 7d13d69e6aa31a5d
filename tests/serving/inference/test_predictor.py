"""From a request to a prediction: validate, look up, score, answer and record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from features.contract.feature_contract import contract_of
from serving.inference.predictor import Predictor
from serving.models.model_loader import LoadedModel
from serving.models.onnx_scorer import OnnxScorer
from serving.models.release_document import ReleasedVersion, read_release
from serving.models.traffic_split import ServedModel, TrafficSplit, hash_fraction
from serving.schema.problems import InvalidRequestError, NotReadyError, ProblemError
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.errors import StoreError
from tests.serving.support import (
    HORIZON_MIN,
    NETWORK,
    SETTINGS,
    a_contract,
    a_model,
    a_service,
    body_of,
    publish,
    release,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from serving.online.network import Network
    from serving.service.prediction_service import PredictionService

VALUES: tuple[object, ...] = ("", "ZZZ", "ZZ", 0, None, [], "2013-12-31T99:99", "\U0001f6eb")
NOON_MS = 1_700_000_000_123


class Items:
    """An online store without items that records which keys are read."""

    def __init__(self, failure: str | None = None) -> None:
        self.reads: list[list[str]] = []
        self._failure = failure

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.reads.append(list(keys))
        if self._failure:
            raise StoreError(self._failure)
        return {}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        raise AssertionError(f"serving wrote {items}")


def served(probability: float = 0.25) -> ServedModel:
    contract = a_contract()
    scorer = OnnxScorer(a_model(contract, probability), contract)
    return ServedModel(LoadedModel("ontime", "7", "ab", contract, scorer), "champion", 3)


def a_predictor(
    items: Items | None = None,
    *,
    probability: float = 0.25,
    allow_as_of: bool = True,
    now: int = NOON_MS,
) -> Predictor:
    model = served(probability)
    return Predictor(
        split=lambda: TrafficSplit(model),
        network=lambda: NETWORK,
        online=items or Items(),
        allow_as_of=allow_as_of,
        clock=lambda: now,
        new_id=lambda: "the-id",
    )


def answer_of(predictor: Predictor, **changes: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(predictor.predict(body_of(**changes)).answer)
    return answer


def test_the_answer_is_complete() -> None:
    # Given a model that gives 0.25 at a threshold of 0.3
    answer = answer_of(a_predictor())
    # Then the answer holds it, with the version, the times and what was missing
    missing = answer.pop("missing")
    assert answer.pop("probability") == pytest.approx(0.25, abs=1e-4)
    assert answer == {
        "prediction_id": "the-id",
        "flight_id": "UA-642-2013123115",
        "late": False,
        "threshold": 0.3,
        "model": {"name": "ontime", "version": "7", "alias": "champion"},
        "prediction_time": "2013-12-31T13:25:00Z",
        "features_as_of": "2013-12-31T13:25:00Z",
        "ages_min": {"flights": None, "weather": None},
        "requested_at": "2023-11-14T22:13:20.123Z",
        "warnings": ["mostly_missing"],
    }
    assert "temperature" in missing
    assert "departure_minute" not in missing


def test_the_same_body_clock_and_ids_give_the_same_bytes() -> None:
    assert a_predictor().predict(body_of()) == a_predictor().predict(body_of())


def test_the_record_holds_answer_flight_and_features() -> None:
    # Given a prediction
    prediction = a_predictor().predict(body_of())
    record, answer = prediction.record, json.loads(prediction.answer)
    # Then its record contains the answer
    stored = json.loads(record.body)
    assert {name: stored[name] for name in answer} == answer
    assert stored["flight"]["scheduled_arrival"] == "2013-12-31T22:04:00Z"
    assert (record.requested_at_ms, record.prediction_id) == (NOON_MS, "the-id")
    assert record.flight_id == answer["flight_id"]
    # And a feature that is missing is null there, in the order of the contract
    names = [feature.name for feature in a_contract().features]
    values = dict(zip(names, stored["features"], strict=True))
    assert {name for name, value in values.items() if value is None} == set(answer["missing"])
    assert values["origin"] == "JFK"
    assert values["departure_minute"] == 10 * 60 + 25


@pytest.mark.parametrize(("probability", "late"), [(0.2999, False), (0.31, True)])
def test_late_is_from_the_threshold_on(probability: float, *, late: bool) -> None:
    assert answer_of(a_predictor(probability=probability))["late"] is late


def test_features_are_never_later_than_the_prediction_time() -> None:
    # Given requests before and after the prediction time, Then the earlier of the two counts
    before = 1_388_480_459_999  # 2013-12-31T09:00:59.999Z
    assert answer_of(a_predictor(now=before))["features_as_of"] == "2013-12-31T09:00:00Z"
    after = 1_388_530_000_000
    assert answer_of(a_predictor(now=after))["features_as_of"] == "2013-12-31T13:25:00Z"


def test_as_of_replaces_the_time_of_the_request() -> None:
    predictor = a_predictor()
    for as_of, expected in (
        ("2013-12-31T09:00Z", "T09:00:00Z"),
        ("2014-06-01T00:00Z", "T13:25:00Z"),
    ):
        assert answer_of(predictor, as_of=as_of)["features_as_of"] == f"2013-12-31{expected}"


def test_as_of_is_refused_where_it_is_not_allowed() -> None:
    with pytest.raises(InvalidRequestError, match=r"as_of: .*as of now\. Leave it out"):
        a_predictor(allow_as_of=False).predict(body_of(as_of="2013-12-31T09:00Z"))


def test_one_request_is_one_batched_read() -> None:
    # Given a request with a tail number
    items = Items()
    a_predictor(items).predict(body_of())
    # Then one read names every key, the tail number's among them
    (keys,) = items.reads
    assert {"tail_number=N597UA@2013-12-29", "origin=JFK@2013-12-31"} <= set(keys)


def test_a_store_that_fails_is_missing_features(capfd: pytest.CaptureFixture[str]) -> None:
    # Given an online store that is down, Then it still answers, as if the store were empty
    broken, empty = a_predictor(Items("it is down")), a_predictor()
    assert answer_of(broken) == answer_of(empty)
    assert capfd.readouterr().out == ""  # the log is a log, and no print


def test_without_model_or_network_the_error_names_the_reason() -> None:
    def no_model() -> TrafficSplit:
        raise NotReadyError("no model")

    def no_network() -> Network:
        raise NotReadyError("no network")

    predictor = Predictor(split=no_model, network=lambda: NETWORK, online=Items())
    with pytest.raises(NotReadyError, match="no model"):
        predictor.predict(body_of())
    predictor = Predictor(split=lambda: TrafficSplit(served()), network=no_network, online=Items())
    with pytest.raises(NotReadyError, match="no network"):
        predictor.predict(body_of())


def test_an_invalid_request_is_reported_before_a_missing_model() -> None:
    def no_model() -> TrafficSplit:
        raise NotReadyError("no model")

    predictor = Predictor(split=no_model, network=lambda: NETWORK, online=Items())
    with pytest.raises(InvalidRequestError):
        predictor.predict(b"[]")


def test_a_model_gets_exactly_the_features_of_its_contract() -> None:
    # Given a model of a contract with few features, in an order of its own
    contract = contract_of(HORIZON_MIN, 0.3, ["origin", "temperature", "carrier"])
    scorer = OnnxScorer(a_model(contract, 0.5), contract)
    model = ServedModel(LoadedModel("ontime", "8", "ab", contract, scorer), None, 3)
    predictor = Predictor(
        split=lambda: TrafficSplit(model), network=lambda: NETWORK, online=Items()
    )
    # Then its record holds those
    prediction = predictor.predict(body_of())
    assert json.loads(prediction.record.body)["features"] == ["JFK", None, "UA"]
    assert json.loads(prediction.answer)["missing"] == ["temperature"]
    assert json.loads(prediction.answer)["model"]["alias"] is None


def test_nothing_but_problems_is_raised_for_any_field() -> None:
    predictor = a_predictor()
    for field in ("carrier", "origin", "destination", "scheduled_departure", "as_of"):
        for value in VALUES:
            try:
                predictor.predict(body_of(**{field: value}))
            except ProblemError as error:
                assert error.status < 500  # noqa: PT017 - some values are good ones


@pytest.fixture
def service(home: Path) -> PredictionService:
    return a_service(home, SETTINGS)


def flights(*changes: Mapping[str, object]) -> bytes:
    return json.dumps({"flights": [json.loads(body_of(**each)) for each in changes]}).encode()


def batch(service: PredictionService, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(service.predict_batch(body, request_id="r1").answer)
    return answer


def test_each_flight_of_a_batch_gets_what_it_gets_alone(service: PredictionService) -> None:
    # Given several flights
    changes: list[dict[str, object]] = [
        {"flight_number": 1},
        {"origin": "EWR", "destination": "PHX"},
        {"as_of": "2013-12-31T12:00Z"},
    ]
    answer = batch(service, flights(*changes))
    # Then each has the prediction of a single request
    assert answer["failed"] == 0
    for item, change in zip(answer["items"], changes, strict=True):
        alone = json.loads(service.predict(body_of(**change)).answer)
        assert item["problem"] is None
        for name in set(alone) - {"prediction_id", "requested_at"}:
            assert item["prediction"][name] == alone[name], name


def test_an_invalid_flight_does_not_fail_the_batch(service: PredictionService) -> None:
    # Given a batch with one good flight between bad ones
    body = b'{"flights": [{}, %s, %s, 7]}' % (body_of(), body_of(destination="XXX"))
    made = service.predict_batch(body, request_id="r1")
    answer = json.loads(made.answer)
    # Then each item holds its problem, or its prediction with a record
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
def test_an_empty_or_too_large_batch_is_refused(service: PredictionService, number: int) -> None:
    body = json.dumps({"flights": [{}] * number}).encode()
    with pytest.raises(InvalidRequestError) as caught:
        service.predict_batch(body, request_id="r1")
    assert caught.value.errors[0].field == "flights"


def test_a_batch_of_a_thousand_is_answered(service: PredictionService) -> None:
    body = flights(*({"flight_number": number} for number in range(1, 1001)))
    made = service.predict_batch(body, request_id="r1")
    assert len(made.records) == len({record.prediction_id for record in made.records}) == 1000


def test_without_a_model_the_whole_batch_fails(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError):
        a_service(tmp_path).predict_batch(flights({}), request_id="r1")


def test_all_fields_at_fault_are_named_at_once() -> None:
    # Given fields that are badly written, and others that name what does not exist
    body = body_of(
        carrier="ua",
        destination="XXX",
        scheduled_departure="2013-02-30T10:00",
        scheduled_arrival="1850-01-01T00:00",
        as_of="2013-12-31T12:00",
    )
    with pytest.raises(InvalidRequestError) as refused:
        a_predictor().predict(body)
    # Then each is named
    fields = [each.field for each in refused.value.errors]
    assert fields == ["carrier", "destination", "scheduled_departure", "scheduled_arrival", "as_of"]
    # And so it is where all are well written, and before a job is accepted
    with pytest.raises(InvalidRequestError) as refused:
        a_predictor(allow_as_of=False).validate(
            body_of(origin="PHX", scheduled_arrival="2013-12-31T08:00", as_of="2013-12-31T12:00Z")
        )
    assert [each.field for each in refused.value.errors] == ["origin", "scheduled_arrival", "as_of"]
