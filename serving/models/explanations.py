"""Why the model says what it says of a flight: what each feature added on the way to the leaves.

The method is path attribution (Saabas): in each tree a flight goes from the root to a leaf; at
every branch the mean of what is below changes, and this change is put down to the feature that the
branch asks about. Mean of the roots and all changes add up to the model's log-odds. The mean of a
branch is over the flights that the model learned from (docs/adr/0018-reasons-by-path.md).
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
"""Mean of what is below, and for an inner node its column, threshold and two ways."""


class Explainer:
    """Explains the predictions of one model.

    Args:
        model: Bytes of the ONNX model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The file is not one that this project exports, or does not tell how many
            flights ended in its leaves.
    """

    def __init__(self, model: bytes, contract: Contract) -> None:
        features = list(enumerate(contract.features))
        self._numbers = [i for i, feature in features if feature.dtype != "string"]
        strings = [i for i, feature in features if feature.dtype == "string"]
        trees = read_trees(model, len(self._numbers))
        if not trees.leaf_flights:
            raise ScorerError("The model does not tell how many flights ended in its leaves.")
        self._ranks: list[tuple[int, dict[Any, float]]] = list(
            zip(strings, trees.categories, strict=True)
        )
        self._feature_of_column = [*self._numbers, *strings] * 2
        flights = iter(trees.leaf_flights)
        self._roots = [_with_means(root, flights)[0] for root in trees.roots]
        self._base = trees.baseline + sum(root[0] for root in self._roots)
        self._about = [(f.name, f.definition, f.unit) for f in _declared(contract)]

    def explain(self, row: Sequence[FeatureValue]) -> Explanation:
        """Return the main reasons for what the model says of a row.

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
        """Return what each feature adds to the log-odds; with the base they are its log-odds."""
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
        """The log-odds of a flight of which nothing is known."""
        return self._base


def _with_means(node: Node, flights: Iterator[int]) -> tuple[_Branch, int]:
    """Return a tree with the mean of what is below each node, and how many flights that is of."""
    if not isinstance(node, tuple):
        return (node,), next(flights)
    column, threshold, low_way, high_way = node
    low, lows = _with_means(low_way, flights)
    high, highs = _with_means(high_way, flights)
    mean = (low[0] * lows + high[0] * highs) / (lows + highs)
    return (mean, column, threshold, low, high), lows + highs


def _declared(contract: Contract) -> Sequence[Any]:
    return selected([feature.name for feature in contract.features])
