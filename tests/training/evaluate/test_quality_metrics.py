"""Metrics equal scikit-learn's, with weights and with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from training.evaluate.quality_metrics import (
    AUC,
    AVERAGE_PRECISION,
    BRIER,
    CALIBRATION_ERROR,
    LOG_LOSS,
    measure,
    ranking,
    recall_name,
)

# Few distinct probabilities: many ties.
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
FLIGHT = st.tuples(st.integers(0, 1), SCORE, st.integers(0, 3))


@given(st.lists(FLIGHT, min_size=2, max_size=60))
@hypothesis_settings(deadline=None)
def test_weighted_metrics_agree_with_scikit_learn(flights: list[tuple[int, float, int]]) -> None:
    # Given weighted flights of both labels
    label, score, weight = (np.array(each) for each in zip(*flights, strict=True))
    drawn = weight > 0
    if len(set(label[drawn].tolist())) < 2:
        return
    # When they are measured
    ranked = ranking(label.astype(np.int8), score.astype(np.float64), bins=10)
    found = measure(ranked, weight[ranked.order].astype(np.float64), ())
    # Then every figure is scikit-learn's
    given_weight = {"sample_weight": weight}
    assert found[AUC] == pytest.approx(theirs.roc_auc_score(label, score, **given_weight))
    expected = theirs.average_precision_score(label, score, **given_weight)
    assert found[AVERAGE_PRECISION] == pytest.approx(expected)
    inside = np.clip(score, 1e-15, 1 - 1e-15)
    assert found[LOG_LOSS] == pytest.approx(theirs.log_loss(label, inside, **given_weight))
    assert found[BRIER] == pytest.approx(theirs.brier_score_loss(label, score, **given_weight))


def test_calibration_error_is_the_mean_distance_over_bins() -> None:
    # Given two bins: 3 flights at 0.2 of which 1 was late, 1 flight at 0.9 that was late
    ranked = ranking(np.array([1, 0, 0, 1], np.int8), np.array([0.2, 0.2, 0.2, 0.9]), bins=2)
    # When it is measured, Then it is 3/4 x |1/3 - 0.2| + 1/4 x |1 - 0.9|
    found = measure(ranked, np.ones(4), ())[CALIBRATION_ERROR]
    assert found == pytest.approx(0.75 * (1 / 3 - 0.2) + 0.25 * 0.1)


def test_recall_at_a_rate_is_the_share_of_late_flights_among_the_likeliest() -> None:
    # Given ten flights, of which the 1st, 2nd and 9th likeliest were late
    label = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 0], np.int8)
    ranked = ranking(label, np.linspace(0.9, 0.1, 10), bins=10)
    # When 10 %, 20 % and 90 % are called late, Then 1, 2 and 3 of the 3 are found
    found = measure(ranked, np.ones(10), (0.1, 0.2, 0.9))
    assert [found[recall_name(rate)] for rate in (0.1, 0.2, 0.9)] == pytest.approx(
        [1 / 3, 2 / 3, 1]
    )


def test_flights_of_one_label_have_no_metrics() -> None:
    ranked = ranking(np.array([0, 0], np.int8), np.array([0.1, 0.2]), bins=10)
    found = measure(ranked, np.ones(2), (0.1,))
    assert set(found) == {
        AUC,
        AVERAGE_PRECISION,
        LOG_LOSS,
        BRIER,
        CALIBRATION_ERROR,
        "recall_at_10_percent",
    }
    assert all(np.isnan(value) for value in found.values())


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    ranked = ranking(np.array([0, 1], np.int8), np.array([1.0, 0.0]), bins=10)
    assert np.isfinite(measure(ranked, np.ones(2), ())[LOG_LOSS])


def test_names_of_rates_can_be_read() -> None:
    assert [recall_name(rate) for rate in (0.05, 0.1, 0.025)] == [
        "recall_at_5_percent",
        "recall_at_10_percent",
        "recall_at_2.5_percent",
    ]
