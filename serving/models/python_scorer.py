"""The scorer in pure Python: no numpy, no onnxruntime, and the same bits for a row.

It is what the function in the cloud carries: docs/adr/0015-lambda-without-numpy.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serving.models.exported_graph import WEIGHTED_SUM, RowReader, numbers_of, read_exported
from serving.models.linear_form import read_weighted_sum
from serving.models.scorer import no_probabilities
from serving.models.tree_form import read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract.feature_contract import Contract
    from serving.models.linear_form import WeightedSum
    from serving.models.scorer import FeatureValue
    from serving.models.tree_form import Trees


class PythonScorer:
    """Scores rows with one exported model, whichever of the two forms it has.

    Args:
        model: Bytes of the ONNX model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The bytes are no model that this project exports, or not of this contract.
    """

    def __init__(self, model: bytes, contract: Contract) -> None:
        graph = read_exported(model, numbers_of(contract))
        self._reader = RowReader(graph, contract)
        self._form: Trees | WeightedSum = (
            read_weighted_sum(graph) if graph.operators == WEIGHTED_SUM else read_trees(graph)
        )

    def score(self, rows: Sequence[Sequence[FeatureValue]]) -> list[float]:
        """Return the probability of a late arrival of each row; see `RowScorer`."""
        probabilities = [_sigmoid(self.log_odds(row)) for row in rows]
        if not all(0 <= p <= 1 for p in probabilities):
            raise no_probabilities(probabilities, len(rows))
        return probabilities

    def log_odds(self, row: Sequence[FeatureValue]) -> float:
        """Return the log-odds of a late arrival of a row."""
        return self._form.log_odds(self._reader.columns(row))


def _sigmoid(log_odds: float) -> float:
    """Return the probability, computed as onnxruntime computes it, to the last bit."""
    likelier = 1.0 / (1.0 + math.exp(-abs(log_odds)))
    return likelier if log_odds >= 0 else 1.0 - likelier
