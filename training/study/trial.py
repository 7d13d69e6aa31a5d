"""One trial of the sweep: suggests parameters, fits a model in steps, prunes bad trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from training.environment import wait_without_spinning
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.models.columns import encoder_of
from training.models.interface import NO_ITERATIONS, Examples, FloatRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.models.interface import ModelParameters, Predict
    from training.models.model_settings import ModelSettings

_BINS = 15
# Receives the AUC of a trial after so many iterations; may raise to stop it.
Progress: TypeAlias = "Callable[[int, float], None]"


class Suggesting(Protocol):
    """The part of an Optuna trial that suggests parameters."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between two."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number between two."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialFlights:
    """The encoded flights of a sweep.

    Attributes:
        train: Those that a trial learns from.
        validate: Those that it is ranked on.
    """

    train: Examples
    validate: Examples


def trial_flights(train: Sample, validate: Sample, features: Sequence[Feature]) -> TrialFlights:
    """Return two samples encoded; categories are ranked on the first."""
    wait_without_spinning()
    names = [feature.name for feature in features]
    encoder = encoder_of(train, features)
    return TrialFlights(
        train=Examples(encoder.fit_transform(train.features[names]), train.label),
        validate=Examples(encoder.transform(validate.features[names]), validate.label),
    )


def suggested(trial: Suggesting, current: ModelSettings, iterations: int) -> ModelParameters:
    """Return the parameters that a trial suggests; what it does not choose is as in use.

    Args:
        trial: The trial.
        current: The kind and the parameters in use.
        iterations: The most iterations, where the kind has any.
    """
    chosen: dict[str, float] = {}
    for name, of in current.selected.search_space.items():
        if isinstance(of, FloatRange):
            chosen[name] = trial.suggest_float(name, of.low, of.high, log=of.log)
        else:
            chosen[name] = trial.suggest_int(name, of.low, of.high, log=of.log)
    return current.parameters.model_copy(update=chosen).limited_to(iterations)


def search_point(current: ModelSettings) -> dict[str, float]:
    """Return the parameters in use as a trial would choose them, within the search space."""
    parameters, space = current.parameters, current.selected.search_space
    return {
        name: min(max(getattr(parameters, name), of.low), of.high) for name, of in space.items()
    }


def fit_trial(
    flights: TrialFlights,
    current: ModelSettings,
    parameters: ModelParameters,
    every: int,
    progress: Progress,
) -> tuple[float, int]:
    """Return the best AUC of a trial, and after how many iterations it had it.

    The number is 0 for a kind without iterations.

    Args:
        flights: What is learned from and ranked.
        current: The kind.
        parameters: Its parameters.
        every: Iterations after which the AUC is measured.
        progress: Receives it.
    """
    weight = np.ones(flights.validate.label.size)
    best, best_iterations = 0.0, NO_ITERATIONS

    def report(iterations: int, predict: Predict) -> None:
        nonlocal best, best_iterations
        score = predict(flights.validate.matrix)
        auc = measure(ranking(flights.validate.label, score, bins=_BINS), weight, ())[AUC]
        if auc > best:
            best, best_iterations = auc, iterations
        progress(iterations, auc)

    current.selected.fit_in_steps(flights.train, parameters, every, report)
    return best, best_iterations


def on_one_core(work: Callable[[], tuple[float, int]]) -> tuple[float, int]:
    """Return what work returns, run by one thread: trials share the cores instead."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - after the libraries it limits

    with threadpool_limits(limits=1):
        return work()
