"""A trial suggests within bounds, grows step by step, and its end is that of the trees."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import optuna
import pytest
from threadpoolctl import threadpool_info

from tests.training.made import part
from tests.training.world import FEATURES, settings, with_parameters
from training.study.trial import fit_trial, on_one_core, search_point, suggested, trial_flights

if TYPE_CHECKING:
    from training.study.trial import Progress, TrialFlights

CURRENT = settings().model


@cache
def flights() -> TrialFlights:
    return trial_flights(part("train"), part("validate"), FEATURES)


def fitted(every: int, progress: Progress) -> tuple[float, int]:
    return fit_trial(flights(), CURRENT, CURRENT.parameters, every, progress)


def test_each_step_is_reported_and_the_best_is_returned() -> None:
    # Given 25 trees to grow in steps of 10
    reported: list[tuple[int, float]] = []
    best, trees = fit_trial(
        flights(), CURRENT, CURRENT.parameters, 10, lambda at, auc: reported.append((at, auc))
    )
    # Then each whole step is reported, and the best of them is returned
    assert [at for at, _ in reported] == [10, 20]
    assert (trees, best) == max(reported, key=lambda each: each[1])
    assert best > 0.6


def test_a_trial_can_be_stopped_at_a_step() -> None:
    class HopelessError(Exception):
        pass

    reported = []

    def stop(at: int, _: float) -> None:
        reported.append(at)
        raise HopelessError

    with pytest.raises(HopelessError):
        fitted(5, stop)
    assert reported == [5]


def test_the_same_parameters_give_the_same() -> None:
    first, again = (fitted(10, lambda *_: None) for _ in range(2))
    assert first == again


def test_the_parameters_in_use_can_be_suggested_and_read_back() -> None:
    # Given the parameters in use as a fixed trial
    current = with_parameters(CURRENT, leaves=31, leaf_rows=100, learning_rate=0.05, l2=1)
    trial = optuna.trial.FixedTrial(search_point(current))
    # When a trial suggests them, Then they are these, but for the number of trees
    assert suggested(trial, current, 77) == current.parameters.model_copy(
        update={"iterations": 77, "feature_share": 0.8}
    )


def test_parameters_out_of_bounds_are_tried_at_the_bound() -> None:
    odd = with_parameters(CURRENT, leaves=4, learning_rate=0.5, l2=0.0)
    assert search_point(odd) | {"leaf_rows": 0} == {
        "learning_rate": 0.15, "l2": 0.1, "feature_share": 0.8, "leaves": 16, "leaf_rows": 0,
    }  # fmt: skip


def test_a_trial_has_one_core() -> None:
    def threads() -> tuple[float, int]:
        return 0.0, max(each["num_threads"] for each in threadpool_info())

    fit_trial(
        flights(), CURRENT, CURRENT.parameters, 10, lambda *_: None
    )  # the libraries are loaded
    assert on_one_core(threads) == (0.0, 1)
