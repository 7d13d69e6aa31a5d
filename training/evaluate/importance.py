"""What a model looks at: how much worse it ranks flights when it is told something else.

Permutation importance: the values of some inputs are exchanged between flights, all inputs of a
family by the same exchange, and the AUC that this costs is their importance. Of two inputs that say
the same, each seems to matter little, as the other stands in: the families tell more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.evaluate.learning_curve import evenly
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.models.model import COLUMNS, TREES, inputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.settings import EvaluationSettings

_FAMILY_REPEATS: Final = 3


class Importance(msgspec.Struct, frozen=True):
    """What it costs when one feature, or a family of them, tells of another flight.

    Attributes:
        name: Of the feature or the family.
        family: The family.
        auc_lost: AUC that is lost; below 0 is chance.
    """

    name: str
    family: str
    auc_lost: float


class Importances(msgspec.Struct, frozen=True):
    """What a model looks at.

    Attributes:
        flights: On how many flights of the test part it was measured.
        auc: AUC of the model on them.
        families: Each family, what matters most first.
        features: Each feature likewise.
    """

    flights: int
    auc: float
    families: tuple[Importance, ...]
    features: tuple[Importance, ...]


def importances(
    model: Pipeline, sample: Sample, declared: Sequence[Feature], settings: EvaluationSettings
) -> Importances:
    """Return what a model looks at, measured on some flights spread evenly over a sample.

    Args:
        model: What `fit_model` returned.
        sample: Flights that it has not seen.
        declared: All features that there are.
        settings: On how many flights, and the seed of the exchanges.
    """
    random = np.random.default_rng(settings.seed)
    chosen = evenly(len(sample), settings.importance_flights)
    inputs = inputs_of(model)
    columns, trees = model.named_steps[COLUMNS], model.named_steps[TREES]
    matrix: NDArray[np.float64] = columns.transform(sample.features[inputs].iloc[chosen])
    place = {str(name): at for at, name in enumerate(columns.get_feature_names_out())}
    label, weight = sample.label[chosen], np.ones(len(chosen))

    def auc_of(rows: NDArray[np.float64]) -> float:
        score = trees.predict_proba(rows)[:, 1]
        return measure(ranking(label, score, bins=settings.calibration_bins), weight, ())[AUC]

    auc = auc_of(matrix)

    def lost(names: Sequence[str], repeats: int) -> float:
        at = np.array([place[name] for name in names])
        exchanged = matrix.copy()
        found = []
        for _ in range(repeats):
            exchanged[:, at] = matrix[np.ix_(random.permutation(len(matrix)), at)]
            found.append(auc - auc_of(exchanged))
        return float(np.mean(found))

    used = [feature for feature in declared if feature.name in place]
    members: dict[str, list[str]] = {}
    for feature in used:
        members.setdefault(feature.family, []).append(feature.name)
    families = [Importance(name, name, lost(of, _FAMILY_REPEATS)) for name, of in members.items()]
    features = [Importance(each.name, each.family, lost([each.name], 1)) for each in used]
    return Importances(len(matrix), auc, _ranked(families), _ranked(features))


def _ranked(found: list[Importance]) -> tuple[Importance, ...]:
    return tuple(sorted(found, key=lambda each: (-each.auc_lost, each.name)))
