"""The operating threshold serves its criterion."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate.threshold import choose_threshold, operating_at
from training.settings import ThresholdSettings

RANDOM = np.random.default_rng(0)
SCORE = RANDOM.random(20_000)
LABEL = (RANDOM.random(20_000) < SCORE).astype(np.int8)  # calibrated by construction


@pytest.mark.parametrize("cost", [0.5, 1.0, 2.0, 4.0])
def test_of_calibrated_probabilities_the_cost_decides(cost: float) -> None:
    # Given calibrated probabilities, Then the cheapest threshold is 1 / (1 + cost)
    how = ThresholdSettings(criterion="cost", missed_delay_cost=cost)
    assert choose_threshold(LABEL, SCORE, how) == pytest.approx(1 / (1 + cost), abs=0.05)


def test_a_fixed_share_is_called_late() -> None:
    how = ThresholdSettings(criterion="alert_rate", alert_rate=0.3)
    threshold = choose_threshold(LABEL, SCORE, how)
    assert operating_at(threshold, LABEL, SCORE).alert_share == pytest.approx(0.3, abs=0.001)


def test_no_other_threshold_has_a_higher_f1() -> None:
    threshold = choose_threshold(LABEL, SCORE, ThresholdSettings(criterion="f1"))

    def f1(at: float) -> float:
        found = operating_at(at, LABEL, SCORE)
        return 2 * found.precision * found.recall / (found.precision + found.recall)

    assert f1(threshold) == pytest.approx(max(f1(step / 1000) for step in range(1, 1000)))


def test_of_equally_good_thresholds_the_lowest_is_taken() -> None:
    label, score = np.array([0, 1], np.int8), np.array([0.2, 0.8])
    assert choose_threshold(label, score, ThresholdSettings()) == 0.201


def test_a_flight_at_the_threshold_is_called_late() -> None:
    label, score = np.array([0, 1, 1], np.int8), np.array([0.3, 0.3, 0.2])
    found = operating_at(0.3, label, score)
    assert (found.alert_share, found.precision, found.recall) == (2 / 3, 0.5, 0.5)


def test_nothing_called_late_is_precise_about_nothing() -> None:
    label, score = np.array([0, 1], np.int8), np.array([0.1, 0.2])
    found = operating_at(0.9, label, score)
    assert (found.alert_share, found.precision, found.recall) == (0, 0, 0)
