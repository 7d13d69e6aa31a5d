"""Explains a prediction: what each feature adds to the log-odds.

The method is path attribution (Saabas): in each tree a flight follows a path from the root to a
leaf; the change of the mean leaf value at each branch is attributed to the feature that the branch
tests. The means of the roots and all changes add up to the log-odds of the model. Means are over
the training flights (docs/adr/0018-reasons-by-path.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from features.contract.feature_contract import selected
from serving.models.scorer import ScorerError
from serving.models.tree_scorer import read_trees
from serving.schema.responses import Explanation, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from features.contract.feature_contract import Contract
    from serving.models.scorer import FeatureValue
    from serving.models.tree_scorer import Node

METHOD: Final = "path attribution (Saabas)"
MAIN_REASONS: Final = 6
_Branch: TypeAlias = "tuple[float, int, float, _Branch, _Branch] | tuple[float]"
"""Mean leaf value, and for an inner node its column, threshold and two children."""


class Explainer:
    """Explains the predictions of one model.

    Args:
        model: Bytes of the ONNX model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The file is not one that this project exports, or does not hold the number of
            training flights in its leaves.
    """

    def __init__(self, model: bytes, contract: Contract) -> None:
        features = list(enumerate(contract.features))
        self._numbers = [i for i, feature in features if feature.dtype != "string"]
        strings = [i for i, feature in features if feature.dtype == "string"]
        trees = read_trees(model, len(self._numbers))
        if not trees.leaf_flights:
            raise ScorerError(
                "The model does not hold the number of training flights in its leaves."
            )
        self._ranks: list[tuple[int, dict[Any, float]]] = list(
            zip(strings, trees.categories, strict=True)
        )
        self._feature_of_column = [*self._numbers, *strings] * 2
        flights = iter(trees.leaf_flights)
        self._roots = [_with_means(root, flights)[0] for root in trees.roots]
        self._base = trees.baseline + sum(root[0] for root in self._roots)
        self._about = [(f.name, f.definition, f.unit) for f in _declared(contract)]

    def explain(self, row: Sequence[FeatureValue]) -> Explanation:
        """Return the main reasons of the prediction for a row.

        Args:
            row: Feature values in the order of the contract; None is missing.
        """
        effects = self.effects(row)
        order = sorted(range(len(effects)), key=lambda i: (-abs(effects[i]), i))
        main = [i for i in order[:MAIN_REASONS] if effects[i]]
        others = sum(effects[i] for i in range(len(effects)) if i not in main)
        reasons = [Reason(*self._about[i], row[i], effects[i]) for i in main]
        return Explanation(METHOD, self._base, reasons, others)

    def effects(self, row: Sequence[FeatureValue]) -> list[float]:
        """Return what each feature adds; base and effects add up to the log-odds of the row."""
        nan, low = math.nan, -math.inf
        values: list[Any] = [nan if row[i] is None else row[i] for i in self._numbers]
        values += [ranks.get(row[i] or "", nan) for i, ranks in self._ranks]
        values += [low if value != value else value for value in values]  # noqa: PLR0124 - NaN
        effects = [0.0] * len(row)
        for root in self._roots:
            node: Any = root
            while len(node) > 1:
                mean, column, threshold, low_way, high_way = node
                node = low_way if values[column] <= threshold else high_way
                effects[self._feature_of_column[column]] += node[0] - mean
        return effects

    @property
    def base(self) -> float:
        """The mean log-odds of the training flights, before any feature."""
        return self._base


def _with_means(node: Node, flights: Iterator[int]) -> tuple[_Branch, int]:
    """Return a tree with the mean leaf value of each node, and its number of training flights."""
    if not isinstance(node, tuple):
        return (node,), next(flights)
    column, threshold, low_way, high_way = node
    low, lows = _with_means(low_way, flights)
    high, highs = _with_means(high_way, flights)
    mean = (low[0] * lows + high[0] * highs) / (lows + highs)
    return (mean, column, threshold, low, high), lows + highs


def _declared(contract: Contract) -> Sequence[Any]:
    return selected([feature.name for feature in contract.features])
