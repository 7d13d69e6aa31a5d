"""Intervals: reproducible, honest about days, and the same by the fast way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from training.evaluate.bootstrap import Resampling, interval, resampled, resampled_auc
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.settings import EvaluationSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOW = EvaluationSettings(replicates=50)
FLIGHT = st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.integers(0, 4))


def days_of(numbers: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return np.datetime64("2013-11-01") + numbers.astype("timedelta64[D]")


def test_the_same_seed_draws_the_same_days_and_another_one_others() -> None:
    days = days_of(np.arange(300) // 10)
    drawn = [Resampling.of_days(days, HOW).drawn for _ in range(2)]
    other = Resampling.of_days(days, HOW.model_copy(update={"seed": 1})).drawn
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != other).any()


def test_every_sample_has_as_many_days_as_there_are_and_whole_ones() -> None:
    samples = Resampling.of_days(days_of(np.arange(300) // 10), HOW)
    assert (samples.drawn.sum(axis=1) == 30).all()
    assert samples.drawn.shape == (50, 30)


def test_a_sample_repeats_all_flights_of_a_day() -> None:
    # Given two days, and a sample of twice the first
    label, score = np.array([1, 0, 0, 1], np.int8), np.array([0.9, 0.1, 0.8, 0.2])
    samples = Resampling(np.array([0, 0, 1, 1]), np.array([[2.0, 0.0], [1.0, 1.0]]))
    # When AUC is resampled, Then the first is perfect, and the second that of all flights
    found = resampled(ranking(label, score, bins=5), samples)[AUC]
    assert found.tolist() == [1.0, 0.75]


@given(st.lists(FLIGHT, min_size=2, max_size=40))
@hypothesis_settings(deadline=None)
def test_pairs_of_days_give_the_same_auc(flights: list[tuple[int, float, int]]) -> None:
    # Given flights of any labels, with ties, on some days
    label, score, day = (np.array(each) for each in zip(*flights, strict=True))
    samples = Resampling.of_days(days_of(day), HOW)
    label = label.astype(np.int8)
    # When AUC is resampled the slow and the fast way, Then it is the same in every sample
    slow = resampled(ranking(label, score, bins=5), samples)[AUC]
    assert resampled_auc(label, score, samples) == pytest.approx(slow, nan_ok=True)


def test_some_of_the_flights_are_drawn_as_all_of_them() -> None:
    # Given samples of flights, and a slice of them
    days = days_of(np.arange(300) // 10)
    inside = np.arange(300) % 3 == 0
    samples = Resampling.of_days(days, HOW)
    # When the slice is drawn, Then each of its flights as often as before
    assert (samples.only(inside).day == samples.day[inside]).all()
    assert samples.only(inside).drawn is samples.drawn


def test_flights_that_share_their_day_make_the_interval_wider() -> None:
    # Given flights whose lateness and score are both decided by the day
    random = np.random.default_rng(0)
    day = np.repeat(np.arange(40), 25)
    weather = random.normal(size=40)[day]
    label = (weather + random.normal(size=1000) > 0).astype(np.int8)
    score = 1 / (1 + np.exp(-weather))
    value = measure(ranking(label, score, bins=10), np.ones(1000), ())[AUC]

    def width(days: NDArray[np.datetime64]) -> float:
        how = HOW.model_copy(update={"replicates": 300})
        found = interval(value, resampled_auc(label, score, Resampling.of_days(days, how)), 0.95)
        return found.high - found.low

    # When whole days are drawn, Then the interval is wider than if flights were drawn alone
    assert width(days_of(day)) > 1.5 * width(days_of(np.arange(1000)))


def test_an_interval_lies_between_percentiles_without_the_unknown() -> None:
    found = interval(0.5, np.array([np.nan, *np.linspace(0, 1, 101)]), 0.9)
    assert [found.value, found.low, found.high] == pytest.approx([0.5, 0.05, 0.95])
