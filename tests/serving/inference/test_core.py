"""The one core: validate, look up, score, and the record of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from features.contract.feature_contract import contract_of
from serving.inference.core import PredictionCore
from serving.models.model_loader import LoadedModel
from serving.models.onnx_scorer import OnnxScorer
from serving.models.traffic_split import ServedModel, TrafficSplit
from serving.schema.problems import InvalidRequestError, NotReadyError, ProblemError
from serving.stores.errors import StoreError
from tests.serving.support import HORIZON_MIN, NETWORK, a_contract, a_model, body_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.online.network import Network

VALUES: tuple[object, ...] = ("", "ZZZ", "ZZ", 0, None, [], "2013-12-31T99:99", "\U0001f6eb")
NOON_MS = 1_700_000_000_123


class Items:
    """An online store in memory that remembers what it was asked for."""

    def __init__(self, failure: str | None = None) -> None:
        self.asked: list[list[str]] = []
        self._failure = failure

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.asked.append(list(keys))
        if self._failure:
            raise StoreError(self._failure)
        return {}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        raise AssertionError(f"serving wrote {items}")


def served(probability: float = 0.25) -> ServedModel:
    contract = a_contract()
    scorer = OnnxScorer(a_model(contract, probability), contract)
    return ServedModel(LoadedModel("ontime", "7", "ab", contract, scorer), "champion", 3)


def a_core(
    items: Items | None = None,
    *,
    probability: float = 0.25,
    allow_as_of: bool = True,
    now: int = NOON_MS,
) -> PredictionCore:
    model = served(probability)
    return PredictionCore(
        split=lambda: TrafficSplit(model),
        network=lambda: NETWORK,
        online=items or Items(),
        allow_as_of=allow_as_of,
        clock=lambda: now,
        new_id=lambda: "the-id",
    )


def answer_of(core: PredictionCore, **changes: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(core.predict(body_of(**changes)).answer)
    return answer


def test_the_answer_tells_all_there_is_to_know() -> None:
    # Given a model that gives 0.25 at a threshold of 0.3
    answer = answer_of(a_core())
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
    }
    assert "temperature" in missing
    assert "departure_minute" not in missing


def test_the_same_body_clock_and_ids_give_the_same_bytes() -> None:
    assert a_core().predict(body_of()) == a_core().predict(body_of())


def test_the_record_holds_the_answer_the_flight_and_what_the_model_saw() -> None:
    # Given a prediction
    prediction = a_core().predict(body_of())
    record, answer = prediction.record, json.loads(prediction.answer)
    # Then its record is the answer and more
    kept = json.loads(record.body)
    assert {name: kept[name] for name in answer} == answer
    assert kept["flight"]["scheduled_arrival"] == "2013-12-31T22:04:00Z"
    assert (record.requested_at_ms, record.prediction_id) == (NOON_MS, "the-id")
    assert record.flight_id == answer["flight_id"]
    # And a feature that is missing is null there, in the order of the contract
    names = [feature.name for feature in a_contract().features]
    values = dict(zip(names, kept["features"], strict=True))
    assert {name for name, value in values.items() if value is None} == set(answer["missing"])
    assert values["origin"] == "JFK"
    assert values["departure_minute"] == 10 * 60 + 25


@pytest.mark.parametrize(("probability", "late"), [(0.2999, False), (0.31, True)])
def test_late_is_from_the_threshold_on(probability: float, *, late: bool) -> None:
    assert answer_of(a_core(probability=probability))["late"] is late


def test_features_are_never_later_than_the_prediction_time() -> None:
    # Given requests before and after the prediction time, Then the earlier of the two counts
    before = 1_388_480_459_999  # 2013-12-31T09:00:59.999Z
    assert answer_of(a_core(now=before))["features_as_of"] == "2013-12-31T09:00:00Z"
    after = 1_388_530_000_000
    assert answer_of(a_core(now=after))["features_as_of"] == "2013-12-31T13:25:00Z"


def test_as_of_stands_for_the_time_of_the_request() -> None:
    core = a_core()
    for as_of, expected in (
        ("2013-12-31T09:00Z", "T09:00:00Z"),
        ("2014-06-01T00:00Z", "T13:25:00Z"),
    ):
        assert answer_of(core, as_of=as_of)["features_as_of"] == f"2013-12-31{expected}"


def test_as_of_is_refused_where_it_is_not_allowed() -> None:
    with pytest.raises(InvalidRequestError, match=r"as_of: .*as of now\. Leave it out"):
        a_core(allow_as_of=False).predict(body_of(as_of="2013-12-31T09:00Z"))


def test_one_request_is_one_batched_read() -> None:
    # Given a request with a tail number
    items = Items()
    a_core(items).predict(body_of())
    # Then one read names every key, the tail number's among them
    (keys,) = items.asked
    assert {"tail_number=N597UA@2013-12-29", "origin=JFK@2013-12-31"} <= set(keys)


def test_a_store_that_fails_is_missing_features(capfd: pytest.CaptureFixture[str]) -> None:
    # Given an online store that is down, Then the answer still comes, as if it were empty
    broken, empty = a_core(Items("it is down")), a_core()
    assert answer_of(broken) == answer_of(empty)
    assert capfd.readouterr().out == ""  # the log is a log, and no print


def test_without_model_or_network_the_reason_is_told() -> None:
    def no_model() -> TrafficSplit:
        raise NotReadyError("no model")

    def no_network() -> Network:
        raise NotReadyError("no network")

    core = PredictionCore(split=no_model, network=lambda: NETWORK, online=Items())
    with pytest.raises(NotReadyError, match="no model"):
        core.predict(body_of())
    core = PredictionCore(split=lambda: TrafficSplit(served()), network=no_network, online=Items())
    with pytest.raises(NotReadyError, match="no network"):
        core.predict(body_of())


def test_a_bad_request_is_told_whatever_the_state_of_the_service() -> None:
    def no_model() -> TrafficSplit:
        raise NotReadyError("no model")

    core = PredictionCore(split=no_model, network=lambda: NETWORK, online=Items())
    with pytest.raises(InvalidRequestError):
        core.predict(b"[]")


def test_a_model_of_some_features_is_given_just_those() -> None:
    # Given a model of a contract with few features, in an order of its own
    contract = contract_of(HORIZON_MIN, 0.3, ["origin", "temperature", "carrier"])
    scorer = OnnxScorer(a_model(contract, 0.5), contract)
    model = ServedModel(LoadedModel("ontime", "8", "ab", contract, scorer), None, 3)
    core = PredictionCore(
        split=lambda: TrafficSplit(model), network=lambda: NETWORK, online=Items()
    )
    # Then its record holds those
    prediction = core.predict(body_of())
    assert json.loads(prediction.record.body)["features"] == ["JFK", None, "UA"]
    assert json.loads(prediction.answer)["missing"] == ["temperature"]
    assert json.loads(prediction.answer)["model"]["alias"] is None


def test_nothing_but_problems_is_raised_for_any_field() -> None:
    core = a_core()
    for field in ("carrier", "origin", "destination", "scheduled_departure", "as_of"):
        for value in VALUES:
            try:
                core.predict(body_of(**{field: value}))
            except ProblemError as error:
                assert error.status < 500  # noqa: PT017 - some values are good ones
