"""One trial of the sweep: parameters suggested, trees grown step by step, stopped when hopeless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from training.evaluate.quality_metrics import AUC, measure, ranking
from training.models.model import encoder_of, trees_of
from training.settings import BoosterSettings, wait_without_spinning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from features.declare.declarations import Feature
    from training.data.samples import Sample

_BINS: Final = 15
# What a trial chooses, by its name in BoosterSettings: from, to, and whether on a log scale.
_FLOATS: Final[dict[str, tuple[float, float, bool]]] = {
    "learning_rate": (0.02, 0.15, True),
    "l2": (0.1, 50.0, True),
    "feature_share": (0.1, 0.8, False),
}
_INTEGERS: Final[dict[str, tuple[int, int]]] = {"leaves": (16, 128), "leaf_rows": (50, 800)}


# Is told the AUC of a trial after so many trees; may raise to stop it.
Grown: TypeAlias = "Callable[[int, float], None]"


class Suggesting(Protocol):
    """What is asked of an Optuna trial for its parameters."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between two."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number between two."""


@dataclass(frozen=True, slots=True, eq=False)
class Matrices:
    """Flights as the trees see them: those that a trial learns from, and those it is ranked on.

    Attributes:
        train: Inputs of the first.
        train_label: 1 for a late arrival, else 0.
        validate: Inputs of the second.
        validate_label: 1 for a late arrival, else 0.
    """

    train: NDArray[np.float64]
    train_label: NDArray[np.int8]
    validate: NDArray[np.float64]
    validate_label: NDArray[np.int8]


def matrices_of(train: Sample, validate: Sample, features: Sequence[Feature]) -> Matrices:
    """Return two samples as the trees see them; categories are ranked on the first."""
    wait_without_spinning()
    names = [feature.name for feature in features]
    encoder = encoder_of(train, features)
    return Matrices(
        train=encoder.fit_transform(train.features[names]),
        train_label=train.label,
        validate=encoder.transform(validate.features[names]),
        validate_label=validate.label,
    )


def suggested(trial: Suggesting, kept: BoosterSettings, most: int) -> BoosterSettings:
    """Return the parameters that a trial suggests; what it does not choose is as kept.

    Args:
        trial: The trial.
        kept: The parameters in use.
        most: The most trees.
    """
    chosen: dict[str, Any] = {
        name: trial.suggest_float(name, low, high, log=log)
        for name, (low, high, log) in _FLOATS.items()
    }
    chosen |= {
        name: trial.suggest_int(name, low, high, log=True)
        for name, (low, high) in _INTEGERS.items()
    }
    return kept.model_copy(update={**chosen, "iterations": most, "patience": None})


def kept_choice(kept: BoosterSettings) -> dict[str, float]:
    """Return the kept parameters as a trial would choose them, within what is tried."""
    floats = {
        name: min(max(getattr(kept, name), low), high) for name, (low, high, _) in _FLOATS.items()
    }
    integers = {
        name: min(max(getattr(kept, name), low), high) for name, (low, high) in _INTEGERS.items()
    }
    return {**floats, **integers}


def grow(
    flights: Matrices, parameters: BoosterSettings, every: int, grown: Grown
) -> tuple[float, int]:
    """Return the best AUC of a trial, and after how many trees it had it.

    The trees are grown in steps, each going on where the one before ended, so that a trial can be
    stopped early; the AUC is told after each.

    Args:
        flights: What is learned from and ranked.
        parameters: Of the trees.
        every: Trees of a step.
        grown: Is told.
    """
    trees = trees_of(parameters.model_copy(update={"iterations": every}))
    trees.set_params(warm_start=True)
    weight = np.ones(flights.validate_label.size)
    best, best_trees = 0.0, 0
    for number in range(every, parameters.iterations + 1, every):
        trees.set_params(max_iter=number)
        trees.fit(flights.train, flights.train_label)
        score = trees.predict_proba(flights.validate)[:, 1]
        auc = measure(ranking(flights.validate_label, score, bins=_BINS), weight, ())[AUC]
        if auc > best:
            best, best_trees = auc, number
        grown(number, auc)
    return best, best_trees


def on_one_core(work: Callable[[], tuple[float, int]]) -> tuple[float, int]:
    """Return what work returns, its trees grown by one thread: trials share the cores instead."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - after the libraries it limits

    with threadpool_limits(limits=1):
        return work()
