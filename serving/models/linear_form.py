"""Models that are a weighted sum: read from an exported graph, and added up in Python.

Baseline plus, for each column, weight times (value minus centre), added in the order of the
columns; a missing value counts as the centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.models.exported_graph import WEIGHTED_SUM, ExportedGraph, unreadable
from serving.models.onnx_file import array_of

_INPUTS = (
    ["row"],
    ["missing", "centres", "row"],
    ["known", "centres"],
    ["distances", "weights"],
    ["effects", "last_axis"],
    ["running", "last_column"],
)


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """A linear model.

    Attributes:
        baseline: Log-odds of a row whose columns are all at their centres.
        centres: Of each column.
        weights: Of each column.
    """

    baseline: float
    centres: tuple[float, ...]
    weights: tuple[float, ...]

    def effects(self, values: list[Any]) -> list[float]:
        """Return what each column adds to the log-odds."""
        return [
            ((centre if value != value else value) - centre) * weight  # noqa: PLR0124 - NaN
            for value, centre, weight in zip(values, self.centres, self.weights, strict=True)
        ]

    def log_odds(self, values: list[Any]) -> float:
        """Return the log-odds of a row; NaN is missing."""
        total = 0.0
        for effect in self.effects(values):
            total += effect
        return total + self.baseline


def read_weighted_sum(graph: ExportedGraph) -> WeightedSum:
    """Return the weighted sum of an exported graph.

    Raises:
        ScorerError: It has another form, or other inputs than this project writes.
    """
    try:
        return _read(graph)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise unreadable(error) from error


def _read(graph: ExportedGraph) -> WeightedSum:
    if graph.operators != WEIGHTED_SUM:
        raise ValueError("it is not a weighted sum")
    if tuple(node.inputs for node in graph.form) != _INPUTS:
        raise ValueError("its weights are applied in another way")
    centres, weights = (tuple(array_of(graph.constants[n], "d")) for n in ("centres", "weights"))
    axis, last = (list(array_of(graph.constants[n], "q")) for n in ("last_axis", "last_column"))
    if not len(centres) == len(weights) == graph.width or (axis, last) != ([1], [graph.width - 1]):
        raise ValueError("it has another number of weights than columns")
    return WeightedSum(graph.baseline, centres, weights)
