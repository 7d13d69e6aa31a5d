"""The learning curve of a fitted model: its quality after the first iterations, up to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.evaluate.quality_metrics import AUC, LOG_LOSS, measure, ranking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.data.samples import Sample
    from training.models.fitted_model import FittedModel

_POINTS: Final = 20
_FLIGHTS: Final = 10_000
_BINS: Final = 15


class CurvePoint(msgspec.Struct, frozen=True):
    """The quality of a model after a number of iterations.

    Attributes:
        trees: How many; trees are the iterations of boosting.
        train_auc: On flights it has learned from.
        validate_auc: On later ones.
        train_log_loss: On flights it has learned from.
        validate_log_loss: On later ones.
    """

    trees: int
    train_auc: float
    validate_auc: float
    train_log_loss: float
    validate_log_loss: float


def learning_curve(
    model: FittedModel, train: Sample, validate: Sample, *, flights: int = _FLIGHTS
) -> tuple[CurvePoint, ...]:
    """Return how good the first iterations of a model are, at about twenty numbers of them.

    Args:
        model: The model; one without iterations has no curve.
        train: What it learned from.
        validate: Later flights.
        flights: How many of each are scored, spread evenly over them.
    """
    if not model.iterations:
        return ()
    spaced = np.linspace(1, model.iterations, min(_POINTS, model.iterations))
    wanted = set(np.unique(spaced.round().astype(int)).tolist())
    curves = [_by_iteration(model, part, flights, wanted) for part in (train, validate)]
    return tuple(
        CurvePoint(number, learned[AUC], later[AUC], learned[LOG_LOSS], later[LOG_LOSS])
        for number, learned, later in zip(sorted(wanted), *curves, strict=True)
    )


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Return the positions of at most `most` of `count` rows, spread evenly over them."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)


def validate_auc(validate: Sample, score: NDArray[np.float64], *, flights: int = _FLIGHTS) -> float:
    """Return the AUC at the end of the learning curve of the model that gave these probabilities.

    Args:
        validate: The validate part.
        score: The probability of each of its flights.
        flights: How many are counted, spread evenly over them.
    """
    chosen = evenly(len(validate), flights)
    ranked = ranking(validate.label[chosen], score[chosen], bins=_BINS)
    return measure(ranked, np.ones(chosen.size), ())[AUC]


def to_json(curve: tuple[CurvePoint, ...]) -> bytes:
    """Return a curve as JSON."""
    return msgspec.json.format(msgspec.json.encode(curve), indent=2)


def from_json(data: bytes) -> tuple[CurvePoint, ...]:
    """Return a curve read from JSON."""
    return msgspec.json.decode(data, type=tuple[CurvePoint, ...])


def _by_iteration(
    model: FittedModel, part: Sample, flights: int, wanted: set[int]
) -> Iterator[dict[str, float]]:
    chosen = evenly(len(part), flights)
    label = part.label[chosen]
    staged = model.probabilities_by_iteration(part.features.iloc[chosen])
    for number, score in enumerate(staged, start=1):
        if number in wanted:
            yield measure(ranking(label, score, bins=_BINS), np.ones(label.size), ())
