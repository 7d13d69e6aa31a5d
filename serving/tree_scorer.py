"""The scorer in Python alone: no numpy, no onnxruntime, and the same bits for a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from serving.onnx_trees import read_trees
from serving.scoring import ScorerError, no_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Contract
    from serving.scoring import FeatureValue


class TreeScorer:
    """Scores rows by walking the trees of an exported model.

    Args:
        model: Bytes of the ONNX model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The bytes are no model that this project exports, or not of this contract.
    """

    def __init__(self, model: bytes, contract: Contract) -> None:
        features = list(enumerate(contract.features))
        self._numbers = [i for i, feature in features if feature.dtype != "string"]
        self._strings = [i for i, feature in features if feature.dtype == "string"]
        trees = read_trees(model, len(self._numbers))
        if len(trees.categories) != len(self._strings):
            raise ScorerError(
                f"The model takes {len(trees.categories)} texts, where its contract asks for "
                f"{len(self._strings)}: export the version again."
            )
        self._roots = trees.roots
        self._baseline = trees.baseline
        self._ranks: list[tuple[int, dict[Any, float]]] = list(
            zip(self._strings, trees.categories, strict=True)
        )

    def score(self, rows: Sequence[Sequence[FeatureValue]]) -> list[float]:
        """Return the probability of a late arrival of each row; see `RowScorer`."""
        probabilities = [_sigmoid(self._margin(row)) for row in rows]
        if not all(0 <= p <= 1 for p in probabilities):
            raise no_probabilities(probabilities, len(rows))
        return probabilities

    def _margin(self, row: Sequence[FeatureValue]) -> float:
        nan, low = math.nan, -math.inf
        values: list[Any] = [nan if row[i] is None else row[i] for i in self._numbers]
        values += [ranks.get(row[i] or "", nan) for i, ranks in self._ranks]
        # The same again, for nodes whose missing values go left: less than every threshold.
        values += [low if value != value else value for value in values]  # noqa: PLR0124 - NaN
        total = 0.0
        for root in self._roots:
            node: Any = root
            while node.__class__ is tuple:
                column, threshold, low_way, high_way = node
                node = low_way if values[column] <= threshold else high_way
            total += node
        return total + self._baseline


def _sigmoid(margin: float) -> float:
    """Return the probability, computed as onnxruntime computes it, to the last bit."""
    likelier = 1.0 / (1.0 + math.exp(-abs(margin)))
    return likelier if margin >= 0 else 1.0 - likelier
