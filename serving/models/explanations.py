"""Explains a prediction: what each feature adds to the log-odds.

For trees the method is path attribution (Saabas): in each tree a flight follows a path from the
root to a leaf; the change of the mean leaf value at each branch is attributed to the feature that
the branch tests. The means of the roots and all changes add up to the log-odds of the model. Means
are over the training flights. For a weighted sum it is the terms of the sum
(docs/adr/0018-reasons-by-path.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from features.contract.feature_contract import selected
from serving.models.exported_graph import WEIGHTED_SUM, RowReader, numbers_of, read_exported
from serving.models.linear_form import read_weighted_sum
from serving.models.scorer import ScorerError
from serving.models.tree_form import read_trees, with_low
from serving.schema.responses import Explanation, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from features.contract.feature_contract import Contract
    from serving.models.linear_form import WeightedSum
    from serving.models.scorer import FeatureValue
    from serving.models.tree_form import Node, Trees

PATHS: Final = "path attribution (Saabas)"
TERMS: Final = "terms of the weighted sum"
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
        graph = read_exported(model, numbers_of(contract))
        self._reader = RowReader(graph, contract)
        self._attribution: _Attribution = (
            _Terms(read_weighted_sum(graph))
            if graph.operators == WEIGHTED_SUM
            else _Paths(read_trees(graph))
        )
        self._feature_of_column = [*self._reader.numbers, *self._reader.strings]
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
        return Explanation(self._attribution.method, self.base, reasons, others)

    def effects(self, row: Sequence[FeatureValue]) -> list[float]:
        """Return what each feature adds; base and effects add up to the log-odds of the row."""
        effects = [0.0] * len(row)
        by_column = self._attribution.effects(self._reader.columns(row))
        for feature, effect in zip(self._feature_of_column, by_column, strict=True):
            effects[feature] = effect
        return effects

    @property
    def base(self) -> float:
        """The log-odds before any feature."""
        return self._attribution.base


class _Attribution(Protocol):
    """A method of explanation for one form of model."""

    method: str
    base: float

    def effects(self, values: list[Any]) -> list[float]:
        """Return what each column adds to the log-odds."""


class _Paths:
    """Path attribution; its base is the mean log-odds of the training flights."""

    method = PATHS

    def __init__(self, trees: Trees) -> None:
        if not trees.leaf_flights:
            raise ScorerError(
                "The model does not hold the number of training flights in its leaves."
            )
        flights = iter(trees.leaf_flights)
        self._roots = [_with_means(root, flights)[0] for root in trees.roots]
        self._width = trees.width
        self.base = trees.baseline + sum(root[0] for root in self._roots)

    def effects(self, values: list[Any]) -> list[float]:
        """Return the changes of the mean at the branches that test each column."""
        twice, width = with_low(values), self._width
        effects = [0.0] * width
        for root in self._roots:
            node: Any = root
            while len(node) > 1:
                mean, column, threshold, low_way, high_way = node
                node = low_way if twice[column] <= threshold else high_way
                effects[column % width] += node[0] - mean
        return effects


class _Terms:
    """The terms of a weighted sum; its base is the log-odds of a flight at all centres."""

    method = TERMS

    def __init__(self, weighted: WeightedSum) -> None:
        self._weighted = weighted
        self.base = weighted.baseline

    def effects(self, values: list[Any]) -> list[float]:
        """Return the terms."""
        return self._weighted.effects(values)


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
