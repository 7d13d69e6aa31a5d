"""The learning curve of a fitted model: how good its first trees are, and all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.evaluate.quality_metrics import AUC, LOG_LOSS, measure, ranking
from training.models.model import COLUMNS, TREES, inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from training.data.samples import Sample

_POINTS: Final = 20
_FLIGHTS: Final = 10_000
_BINS: Final = 15


class CurvePoint(msgspec.Struct, frozen=True):
    """How good a model of so many trees is.

    Attributes:
        trees: How many.
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


def curve_by_trees(
    model: Pipeline, train: Sample, validate: Sample, *, flights: int = _FLIGHTS
) -> tuple[CurvePoint, ...]:
    """Return how good the first trees of a model are, at about twenty numbers of them.

    Args:
        model: What `fit_model` returned.
        train: What it learned from.
        validate: Later flights.
        flights: How many of each are looked at, spread evenly over them.
    """
    trees = model.named_steps[TREES].n_iter_
    wanted = set(np.unique(np.linspace(1, trees, min(_POINTS, trees)).round().astype(int)).tolist())
    curves = [_by_trees(model, part, flights, wanted) for part in (train, validate)]
    return tuple(
        CurvePoint(number, learned[AUC], later[AUC], learned[LOG_LOSS], later[LOG_LOSS])
        for number, learned, later in zip(sorted(wanted), *curves, strict=True)
    )


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Return the positions of at most `most` of `count` rows, spread evenly over them."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)


def to_json(curve: tuple[CurvePoint, ...]) -> bytes:
    """Return a curve as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(curve), indent=2)


def from_json(data: bytes) -> tuple[CurvePoint, ...]:
    """Return a curve read from JSON."""
    return msgspec.json.decode(data, type=tuple[CurvePoint, ...])


def _by_trees(
    model: Pipeline, part: Sample, flights: int, wanted: set[int]
) -> Iterator[dict[str, float]]:
    chosen = evenly(len(part), flights)
    label = part.label[chosen]
    matrix = model.named_steps[COLUMNS].transform(part.features[inputs_of(model)].iloc[chosen])
    staged = model.named_steps[TREES].staged_predict_proba(matrix)
    for number, found in enumerate(staged, start=1):
        if number in wanted:
            ranked = ranking(label, found[:, 1], bins=_BINS)
            yield measure(ranked, np.ones(label.size), ())
