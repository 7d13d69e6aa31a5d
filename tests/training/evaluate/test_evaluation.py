"""An evaluation holds what was measured, for all flights and for slices of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.evaluate.evaluation import Scored, auc_difference, evaluate
from training.evaluate.quality_metrics import AUC
from training.settings import EvaluationSettings

HOW = EvaluationSettings(replicates=30, slice_flights=50, calibration_bins=5, alert_rates=(0.1,))
ROWS = 1000


def flights(*, seed: int = 0) -> Scored:
    """Return flights of ten days with a good model and a coin as the naive one."""
    random = np.random.default_rng(seed)
    score = random.random(ROWS)
    origin = np.array(["EWR"] * 600 + ["JFK"] * 360 + ["LGA"] * 40)
    return Scored(
        label=(random.random(ROWS) < score).astype(np.int8),
        days=np.datetime64("2013-11-01") + (np.arange(ROWS) % 10).astype("timedelta64[D]"),
        score=score,
        naive=random.random(ROWS),
        properties={"origin": origin},
    )


def test_it_measures_both_models_and_their_difference_on_the_same_samples() -> None:
    # Given a good model and a coin
    made = flights()
    # When they are evaluated
    found = evaluate(made, 0.5, HOW)
    # Then the figures are theirs, each within its interval
    assert found.model[AUC].value == pytest.approx(roc_auc_score(made.label, made.score))
    assert found.naive[AUC].value == pytest.approx(roc_auc_score(made.label, made.naive))
    for value in (*found.model.values(), *found.naive.values(), found.over_naive):
        assert value.low <= value.value <= value.high
    # And so is the difference
    assert found.over_naive.value == found.model[AUC].value - found.naive[AUC].value
    assert set(found.model) == set(found.naive) > {"recall_at_10_percent"}


def test_it_records_its_flights_and_days() -> None:
    found = evaluate(flights(), 0.5, HOW)
    assert (found.flights, found.first_day, found.last_day) == (ROWS, "2013-11-01", "2013-11-10")
    assert found.late_share == flights().label.mean()
    assert found.operating.threshold == 0.5


def test_slices_of_enough_flights_are_measured_alone() -> None:
    # Given an origin with too few flights
    made = flights()
    # When the flights are evaluated, Then the others are measured as if there were only they
    found = evaluate(made, 0.5, HOW).slices
    assert [(each.by, each.value, each.flights) for each in found] == [
        ("origin", "EWR", 600),
        ("origin", "JFK", 360),
    ]
    expected = roc_auc_score(made.label[:600], made.score[:600])
    assert found[0].auc == pytest.approx(expected)
    assert found[0].over_naive.value == pytest.approx(found[0].auc - found[0].naive_auc)


def test_a_slice_of_one_label_is_left_out() -> None:
    made = flights()
    made.label[made.properties["origin"] == "JFK"] = 0
    assert [each.value for each in evaluate(made, 0.5, HOW).slices] == ["EWR"]


def test_calibration_bins_hold_every_flight_once_in_order() -> None:
    found = evaluate(flights(), 0.5, HOW).calibration
    assert sum(each.flights for each in found) == ROWS
    assert all(one.mean_probability < other.mean_probability for one, other in pairwise(found))


def test_a_model_is_no_better_than_itself() -> None:
    # Given a model, When it is compared with itself, Then the difference is none, for sure
    made = flights()
    found = auc_difference(made, made.score, HOW)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_comparison_with_another_model_is_paired() -> None:
    # Given a model and nearly the same model
    made = flights()
    nearly = made.score + np.random.default_rng(1).normal(scale=0.001, size=ROWS)
    # When they are compared, Then the interval of the difference is far narrower than AUC's own
    found, own = auc_difference(made, nearly, HOW), evaluate(made, 0.5, HOW).model[AUC]
    assert found.high - found.low < (own.high - own.low) / 10
