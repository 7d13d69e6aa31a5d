"""Permutation importance: the AUC that is lost when inputs are exchanged between flights.

All inputs of a family are exchanged by the same permutation. Of two inputs that carry the same
information each has little importance alone, as the other stands in: compare families first.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.evaluate.learning_curve import evenly
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.models.exchanged_columns import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.models.fitted_model import FittedModel
    from training.settings import EvaluationSettings

_FAMILY_REPEATS: Final = 3


class Importance(msgspec.Struct, frozen=True):
    """The AUC that is lost when one feature, or a family of them, is permuted.

    Attributes:
        name: Of the feature or the family.
        family: The family.
        auc_lost: AUC that is lost; below 0 is chance.
    """

    name: str
    family: str
    auc_lost: float


class Importances(msgspec.Struct, frozen=True):
    """The importance of every feature and family of a model.

    Attributes:
        flights: On how many flights of the test part it was measured.
        auc: AUC of the model on them.
        families: Each family, the most important first.
        features: Each feature likewise.
    """

    flights: int
    auc: float
    families: tuple[Importance, ...]
    features: tuple[Importance, ...]


def importances(
    model: FittedModel, sample: Sample, declared: Sequence[Feature], settings: EvaluationSettings
) -> Importances:
    """Return the importances of a model, measured on flights spread evenly over a sample.

    Args:
        model: The model.
        sample: Flights that it was not trained on.
        declared: All features that there are.
        settings: On how many flights, and the seed of the permutations.
    """
    random = np.random.default_rng(settings.seed)
    chosen = evenly(len(sample), settings.importance_flights)
    matrix = model.encoded(sample.features.iloc[chosen])
    place = {name: at for at, name in enumerate(model.columns)}
    label, weight = sample.label[chosen], np.ones(len(chosen))

    def auc_of(score: NDArray[np.float64]) -> float:
        return measure(ranking(label, score, bins=settings.calibration_bins), weight, ())[AUC]

    used = [feature for feature in declared if feature.name in place]
    members: dict[str, list[str]] = {}
    for feature in used:
        members.setdefault(feature.family, []).append(feature.name)
    permuted = [(names, _FAMILY_REPEATS) for names in members.values()]
    permuted += [([feature.name], 1) for feature in used]
    exchanges = [
        Exchange(tuple(place[name] for name in names), random.permutation(len(matrix)))
        for names, repeats in permuted
        for _ in range(repeats)
    ]
    auc = auc_of(model.predict(matrix))
    scores = model.probabilities_exchanged(matrix, exchanges)
    lost = (
        float(np.mean([auc - auc_of(score) for score in islice(scores, repeats)]))
        for _, repeats in permuted
    )
    families = [Importance(name, name, next(lost)) for name in members]
    features = [Importance(each.name, each.family, next(lost)) for each in used]
    return Importances(len(matrix), auc, _ranked(families), _ranked(features))


def _ranked(found: list[Importance]) -> tuple[Importance, ...]:
    return tuple(sorted(found, key=lambda each: (-each.auc_lost, each.name)))
