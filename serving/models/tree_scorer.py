"""Scores a tree ensemble with the standard library alone: no numpy, no onnxruntime, the same bits.

Accepts exactly the graph that `training.models.onnx_export` writes and refuses any other. The
figure that it is kept for: docs/adr/0015-lambda-without-numpy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from serving.models.onnx_file import array_of, raw_of, read_graph, strings_of
from serving.models.scorer import ScorerError, no_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract.feature_contract import Contract
    from serving.models.onnx_file import OnnxNode
    from serving.models.scorer import FeatureValue

Node: TypeAlias = "tuple[int, float, Node, Node] | float"
"""An inner node (column, threshold, child for values <= threshold, other child), or a leaf."""

_ENCODING: Final = ("Gather", "LabelEncoder")
_SCORING: Final = ("Concat", "TreeEnsemble", "Squeeze", "Add", "Sigmoid")


@dataclass(frozen=True, slots=True)
class Trees:
    """A tree ensemble.

    Attributes:
        numbers: Number of numeric inputs.
        categories: Rank by category, for each text input.
        roots: The trees. Columns are numeric inputs, then ranks; a node whose missing values go
            left names its column plus `width`.
        baseline: Added to the sum of the leaves.
        leaf_flights: Training flights in each leaf, lower branches first; empty when the file does
            not hold them.
    """

    numbers: int
    categories: tuple[dict[str, float], ...]
    roots: tuple[Node, ...]
    baseline: float
    leaf_flights: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns of a row."""
        return self.numbers + len(self.categories)


def read_trees(model: bytes, numbers: int) -> Trees:
    """Return the tree ensemble of an ONNX file.

    Args:
        model: The file.
        numbers: Number of numeric inputs in its contract.

    Raises:
        ScorerError: It is not a file that this project exports.
    """
    try:
        return _read(model, numbers)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ScorerError(
            f"The model cannot be read without onnxruntime ({error}): export the version again, or "
            "install onnxruntime where it is served."
        ) from error


def _read(model: bytes, numbers: int) -> Trees:
    graph = read_graph(model)
    encoders, scoring = graph.nodes[: -len(_SCORING)], graph.nodes[-len(_SCORING) :]
    kinds = tuple(node.kind for node in graph.nodes)
    if kinds != _ENCODING * (len(encoders) // len(_ENCODING)) + _SCORING:
        raise ValueError(f"its nodes are {', '.join(dict.fromkeys(kinds))}")
    categories = tuple(_categories(node) for node in encoders[1::2])
    parts = ["numeric"] * bool(numbers) + [f"code_{i}" for i in range(len(categories))]
    if scoring[0].inputs != parts or scoring[3].inputs != ["sum", "baseline"]:
        raise ValueError("its columns are concatenated in another order")
    for at, gather in enumerate(encoders[::2]):
        index = array_of(graph.constants[gather.inputs[1]], "q")
        if gather.inputs[0] != "categorical" or list(index) != [at]:
            raise ValueError("its text inputs are gathered in another order")
    (baseline,) = array_of(graph.constants["baseline"], "d")
    flights = tuple(map(int, graph.metadata.get("leaf_flights", "").split()))
    roots = _roots(scoring[1], numbers + len(categories))
    return Trees(numbers, categories, roots, baseline, flights)


def _categories(node: OnnxNode) -> dict[str, float]:
    keys = strings_of(node.tensor("keys_tensor"))
    ranks, (default,) = (
        array_of(node.tensor(f"{name}_tensor"), "d") for name in ("values", "default")
    )
    if len(ranks) != len(keys) or not math.isnan(default):
        raise ValueError("its categories have other ranks")
    return dict(zip(keys, ranks, strict=True))


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
        # Repeated for nodes whose missing values go left: -inf is below every threshold.
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
