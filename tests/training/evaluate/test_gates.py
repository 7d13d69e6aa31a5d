"""Every gate passes what it should, refuses what it should, and gives figures and reasons."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from training.evaluate.bootstrap import Interval
from training.evaluate.evaluation import Evaluation, Slice
from training.evaluate.gates import ExportFigures, GateDecision, GateResult, Rival, decide_gates
from training.evaluate.quality_metrics import AUC, CALIBRATION_ERROR
from training.evaluate.threshold import Operating
from training.settings import GatePolicy

POLICY = GatePolicy(
    minimum_auc=0.73,
    margin_over_naive=0.1,
    maximum_calibration_error=0.02,
    tolerated_champion_loss=0.002,
    maximum_row_microseconds=500,
    maximum_export_megabytes=20,
)
EXPORT = ExportFigures(flights=100, largest_difference=1e-9, row_microseconds=20, bytes=500_000)


def sure(value: float) -> Interval:
    return Interval(value, value, value)


def export(**over: Any) -> ExportFigures:
    return msgspec.structs.replace(EXPORT, **over)


def a_slice(value: str, auc: float) -> Slice:
    return Slice("origin", value, 900, 0.2, auc, 0.6, sure(auc - 0.6))


def candidate(
    *, auc: float = 0.77, naive: float = 0.62, error: float = 0.01, slices: tuple[Slice, ...] = ()
) -> Evaluation:
    return Evaluation(
        schema=1,
        flights=100,
        late_share=0.2,
        first_day="2013-11-01",
        last_day="2013-12-31",
        model={AUC: sure(auc), CALIBRATION_ERROR: sure(error)},
        naive={AUC: sure(naive)},
        over_naive=sure(auc - naive),
        operating=Operating(0.3, 0.3, 0.5, 0.6),
        calibration=(),
        slices=slices,
    )


def rival(value: float, low: float, high: float) -> Rival:
    return Rival("4", 0.77, Interval(value, low, high))


def result(name: str, **over: Any) -> GateResult:
    """Return the result of one gate; `over` replaces what a good candidate has."""
    arguments: dict[str, Any] = {"candidate": candidate(), "champion": None, "export": EXPORT}
    found = decide_gates(**{**arguments, **over}, policy=POLICY)
    return next(each for each in found.results if each.name == name)


def test_a_good_first_candidate_passes_every_gate() -> None:
    found = decide_gates(candidate(), None, EXPORT, POLICY)
    assert found.passed
    assert found.refusals == ()
    assert {each.name for each in found.results} == {
        *("auc", "leak", "naive", "slices", "calibration", "champion"),
        *("schema", "compatible", "parity", "latency", "size"),
    }


@pytest.mark.parametrize(
    ("gate", "over", "passed", "figure"),
    [
        ("auc", {"candidate": candidate(auc=0.73)}, True, 0.73),
        ("auc", {"candidate": candidate(auc=0.7299)}, False, 0.7299),
        ("leak", {"candidate": candidate(auc=0.9499)}, True, 0.9499),
        ("leak", {"candidate": candidate(auc=0.95)}, False, 0.95),
        ("naive", {"candidate": candidate(auc=0.75, naive=0.625)}, True, 0.125),
        ("naive", {"candidate": candidate(auc=0.75, naive=0.6875)}, False, 0.0625),
        ("calibration", {"candidate": candidate(error=0.02)}, True, 0.02),
        ("calibration", {"candidate": candidate(error=0.0201)}, False, 0.0201),
        ("slices", {"candidate": candidate(slices=(a_slice("JFK", 0.6),))}, True, 0),
        ("slices", {"candidate": candidate(slices=(a_slice("JFK", 0.59),))}, False, 1),
        ("champion", {"champion": rival(0.01, 0.005, 0.015)}, True, 0.01),
        ("champion", {"champion": rival(-0.01, -0.025, 0.005)}, True, -0.01),  # not beyond doubt
        ("champion", {"champion": rival(-0.001, -0.002, -0.0005)}, True, -0.001),  # tolerated
        ("champion", {"champion": rival(-0.01, -0.02, -0.005)}, False, -0.01),
        ("champion", {"champion": Rival("4", problem="no wind any more")}, True, None),
        ("champion", {"champion": None}, True, None),
        ("schema", {"export": export(problems=("odd",))}, False, None),
        ("compatible", {"champion": Rival("4")}, True, 0),
        ("compatible", {"champion": Rival("4", conflicts=("wind is text in one",))}, False, 1),
        ("compatible", {"champion": None}, True, None),
        ("parity", {"export": export(largest_difference=1e-6)}, True, 1e-6),
        ("parity", {"export": export(largest_difference=2e-6)}, False, 2e-6),
        ("latency", {"export": export(row_microseconds=500)}, True, 500),
        ("latency", {"export": export(row_microseconds=501)}, False, 501),
        ("size", {"export": export(bytes=20_000_000)}, True, 20),
        ("size", {"export": export(bytes=20_500_000)}, False, 20.5),
    ],
)  # fmt: skip
def test_a_gate_decides_at_its_limit(
    gate: str, over: dict[str, Any], *, passed: bool, figure: float | None
) -> None:
    # Given a candidate that is good but for one thing, When the gates decide
    found = result(gate, **over)
    # Then that gate fails, with the figure that it compared
    assert (found.passed, found.figure) == (passed, figure)


def test_one_refusal_is_enough_and_every_one_is_given() -> None:
    # Given a candidate that is too good to be true and slow
    slow = export(row_microseconds=2000)
    # When the gates decide
    found = decide_gates(candidate(auc=0.97), None, slow, POLICY)
    # Then both reasons are given, with figures and limits
    assert not found.passed
    assert found.refusals == (
        "AUC is 0.9700, and from 0.95 on a leak of the label is suspected",
        "one row takes 2000 µs, at most 500 µs wanted",
    )


def test_slices_below_the_naive_model_are_named() -> None:
    slices = (a_slice("JFK", 0.5), a_slice("LGA", 0.7), a_slice("EWR", 0.55))
    found = result("slices", candidate=candidate(slices=slices))
    assert found.reason == (
        "2 of 3 slices are below the naive model: origin JFK, origin EWR; at most 0 may be"
    )


def test_an_impossible_comparison_is_reported_with_the_cause() -> None:
    found = result("champion", champion=Rival("4", problem="the feature table has no wind"))
    assert found.reason == (
        "the champion (version 4) cannot score these flights: the feature table has no wind"
    )


def test_a_champion_that_it_cannot_be_served_beside_is_named() -> None:
    found = result("compatible", champion=Rival("4", conflicts=("wind is text in one",)))
    assert found.reason == (
        "it cannot be served beside the champion (version 4): wind is text in one"
    )


def test_a_decision_survives_json() -> None:
    decision = decide_gates(candidate(), rival(-0.01, -0.02, -0.005), EXPORT, POLICY)
    assert msgspec.json.decode(msgspec.json.encode(decision), type=GateDecision) == decision
