"""Models that are trees: read from an exported graph, and walked in Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from serving.models.exported_graph import TREES, ExportedGraph, unreadable
from serving.models.onnx_file import array_of, raw_of

if TYPE_CHECKING:
    from serving.models.onnx_file import OnnxNode

Node: TypeAlias = "tuple[int, float, Node, Node] | float"
"""An inner node (column, threshold, child for values <= threshold, other child), or a leaf."""


@dataclass(frozen=True, slots=True)
class Trees:
    """A tree ensemble.

    Attributes:
        roots: The trees. A node whose missing values go left names its column plus `width`.
        baseline: Added to the sum of the leaves.
        width: Number of columns of a row.
        leaf_flights: Training flights in each leaf, lower branches first; empty when the file does
            not hold them.
    """

    roots: tuple[Node, ...]
    baseline: float
    width: int
    leaf_flights: tuple[int, ...] = ()

    def log_odds(self, values: list[Any]) -> float:
        """Return the log-odds of a row; NaN is missing."""
        twice = with_low(values)
        total = 0.0
        for root in self.roots:
            node: Any = root
            while node.__class__ is tuple:
                column, threshold, low_way, high_way = node
                node = low_way if twice[column] <= threshold else high_way
            total += node
        return total + self.baseline


def with_low(values: list[Any]) -> list[Any]:
    """Return the columns twice, the second time for nodes whose missing values go left.

    There a missing value is -inf, which is below every threshold.
    """
    low = -math.inf
    return values + [low if value != value else value for value in values]  # noqa: PLR0124 - NaN


def read_trees(graph: ExportedGraph) -> Trees:
    """Return the tree ensemble of an exported graph.

    Raises:
        ScorerError: It has another form, or trees that this project does not write.
    """
    try:
        return _read(graph)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise unreadable(error) from error


def _read(graph: ExportedGraph) -> Trees:
    if graph.operators != TREES:
        raise ValueError("it has no trees")
    flights = tuple(map(int, graph.metadata.get("leaf_flights", "").split()))
    return Trees(_roots(graph.form[0], graph.width), graph.baseline, graph.width, flights)


def _roots(ensemble: OnnxNode, width: int) -> tuple[Node, ...]:
    """Return the trees, built from their last node to their first: children come after parents."""
    expected = {"aggregate_function": 1, "post_transform": 0, "n_targets": 1}
    if {name: ensemble.integer(name) for name in expected} != expected:
        raise ValueError("its trees are aggregated in another way")
    if any(raw_of(ensemble.tensor("nodes_modes"))):
        raise ValueError("its nodes use another comparison")
    if any(ensemble.integers("leaf_targetids")):
        raise ValueError("it has several targets")
    leaves = array_of(ensemble.tensor("leaf_weights"), "d")
    columns = [
        column + width if left else column
        for column, left in zip(
            ensemble.integers("nodes_featureids"),
            ensemble.integers("nodes_missing_value_tracks_true"),
            strict=True,
        )
    ]
    ways = [
        tuple(ensemble.integers(f"nodes_{way}{what}") for what in ("nodeids", "leafs"))
        for way in ("true", "false")
    ]
    thresholds = array_of(ensemble.tensor("nodes_splits"), "d")
    built: list[Node] = [0.0] * len(columns)
    for at in range(len(columns) - 1, -1, -1):
        (to_true, true_is_leaf), (to_false, false_is_leaf) = ways
        true, false = to_true[at], to_false[at]
        if (true <= at and not true_is_leaf[at]) or (false <= at and not false_is_leaf[at]):
            raise ValueError("a child comes before its parent")
        if not 0 <= columns[at] < 2 * width:
            raise ValueError("a node reads a column that is not there")
        built[at] = (
            columns[at],
            thresholds[at],
            leaves[true] if true_is_leaf[at] else built[true],
            leaves[false] if false_is_leaf[at] else built[false],
        )
    return tuple(built[root] for root in ensemble.integers("tree_roots"))
