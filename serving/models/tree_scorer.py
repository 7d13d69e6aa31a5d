"""The scorer in Python alone: no numpy, no onnxruntime, and the same bits for a row.

Reads the ONNX file that this project exports, without any library: its trees and its categories.

Whatever is not exactly the graph of `training.models.onnx_export` is refused. Protocol buffers are
fields
of (number and kind, value), of kind integer (0), double (1), byte string (2) or float (5).
"""

from __future__ import annotations

import math
import re
import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from serving.models.scorer import ScorerError, no_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from features.contract.feature_contract import Contract
    from serving.models.scorer import FeatureValue

Node: TypeAlias = "tuple[int, float, Node, Node] | float"
"""An inner node (column, threshold, where a value <= it goes, where another goes), or a leaf."""

_GRAPH, _METADATA = 7, 14
_NODE, _INITIALIZER = 1, 5
_INPUT, _OP_TYPE, _ATTRIBUTE = 1, 4, 5
_NAME, _INTEGER, _TENSOR, _INTEGERS = 1, 3, 5, 8
_STRINGS, _TENSOR_NAME, _RAW = 6, 8, 9
_ENCODING: Final = ("Gather", "LabelEncoder")
_SCORING: Final = ("Concat", "TreeEnsemble", "Squeeze", "Add", "Sigmoid")
_ONE: Final = re.compile(rb"\x40([\x80-\xff]*[\x00-\x7f])")
_MANY: Final = re.compile(rb"(?:\x40[\x80-\xff]*[\x00-\x7f])+")
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_MORE: Final = 0x80


@dataclass(frozen=True, slots=True)
class Trees:
    """A model.

    Attributes:
        numbers: How many numeric inputs it has.
        categories: For each text input its categories with their ranks.
        roots: The trees. Columns are numeric inputs, then ranks; a node whose missing values go
            left names its column plus `width`.
        baseline: What is added to the sum of the leaves.
        leaf_flights: Flights it learned from in each leaf, lower branches first; empty: not told.
    """

    numbers: int
    categories: tuple[dict[str, float], ...]
    roots: tuple[Node, ...]
    baseline: float
    leaf_flights: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """How many columns a row has."""
        return self.numbers + len(self.categories)


def read_trees(model: bytes, numbers: int) -> Trees:
    """Return the model in an ONNX file.

    Args:
        model: The file.
        numbers: How many numeric inputs its contract tells.

    Raises:
        ScorerError: It is not a file that this project exports.
    """
    try:
        return _read(memoryview(model), numbers)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ScorerError(
            f"The model cannot be read without onnxruntime ({error}): export the version again, or "
            "install onnxruntime where it is served."
        ) from error


def _read(model: memoryview, numbers: int) -> Trees:
    (graph,) = _values(model, _GRAPH)
    constants = {_text(tensor, _TENSOR_NAME): tensor for tensor in _values(graph, _INITIALIZER)}
    nodes = [_OnnxNode(each) for each in _values(graph, _NODE)]
    encoders, scoring = nodes[: -len(_SCORING)], nodes[-len(_SCORING) :]
    kinds = tuple(node.kind for node in nodes)
    if kinds != _ENCODING * (len(encoders) // len(_ENCODING)) + _SCORING:
        raise ValueError(f"its nodes are {', '.join(dict.fromkeys(kinds))}")
    categories = tuple(_categories(node) for node in encoders[1::2])
    parts = ["numeric"] * bool(numbers) + [f"code_{i}" for i in range(len(categories))]
    if scoring[0].inputs != parts or scoring[3].inputs != ["sum", "baseline"]:
        raise ValueError("its columns are joined otherwise")
    for at, gather in enumerate(encoders[::2]):
        index = _array(constants[gather.inputs[1]], "q")
        if gather.inputs[0] != "categorical" or list(index) != [at]:
            raise ValueError("its text inputs are taken otherwise")
    width = numbers + len(categories)
    (baseline,) = _array(constants["baseline"], "d")
    told = {_text(each, 1): _text(each, 2).split() for each in _values(model, _METADATA)}
    flights = tuple(map(int, told.get("leaf_flights", ())))
    return Trees(numbers, categories, _roots(scoring[1], width), baseline, flights)


class _OnnxNode:
    """One node of the graph: what it does, what it reads, and its attributes."""

    def __init__(self, body: memoryview) -> None:
        self.kind = _text(body, _OP_TYPE)
        self.inputs = [bytes(each).decode() for each in _values(body, _INPUT)]
        self._attributes = {_text(each, _NAME): each for each in _values(body, _ATTRIBUTE)}

    def integers(self, name: str) -> Sequence[int]:
        """Return a list of integers."""
        return _integers(self._attributes[name])

    def integer(self, name: str) -> int:
        """Return one integer."""
        fields = _fields(self._attributes[name])
        return next((_varint(bytes(value)) for field, _, value in fields if field == _INTEGER), 0)

    def tensor(self, name: str) -> memoryview:
        """Return a tensor."""
        (found,) = _values(self._attributes[name], _TENSOR)
        return found


def _categories(node: _OnnxNode) -> dict[str, float]:
    keys = [bytes(each).decode() for each in _values(node.tensor("keys_tensor"), _STRINGS)]
    ranks, (default,) = (
        _array(node.tensor(f"{name}_tensor"), "d") for name in ("values", "default")
    )
    if len(ranks) != len(keys) or not math.isnan(default):
        raise ValueError("its categories have other ranks")
    return dict(zip(keys, ranks, strict=True))


def _roots(ensemble: _OnnxNode, width: int) -> tuple[Node, ...]:
    """Return the trees, built from their last node to their first: children come after parents."""
    expected = {"aggregate_function": 1, "post_transform": 0, "n_targets": 1}
    if {name: ensemble.integer(name) for name in expected} != expected:
        raise ValueError("its trees are added up otherwise")
    if any(bytes(*_values(ensemble.tensor("nodes_modes"), _RAW))):
        raise ValueError("its nodes compare otherwise")
    if any(ensemble.integers("leaf_targetids")):
        raise ValueError("it has several targets")
    leaves = _array(ensemble.tensor("leaf_weights"), "d")
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
    thresholds = _array(ensemble.tensor("nodes_splits"), "d")
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


def _array(tensor: memoryview, kind: str) -> array[float]:
    """Return the values of a tensor of doubles (`d`) or 64-bit integers (`q`)."""
    found: array[float] = array(kind)
    for raw in _values(tensor, _RAW):
        found.frombytes(raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _text(message: memoryview, number: int) -> str:
    """Return the first text of a field, looking no further."""
    return next((bytes(each).decode() for each in _each_value(message, number)), "")


def _integers(attribute: memoryview) -> Sequence[int]:
    """Return the integers of an attribute: tens of thousands, without a step for each."""
    body = bytes(attribute)
    start = 2 + body[1]  # its name comes first
    run = _MANY.match(body, start)
    if body[0] != _NAME << 3 | _BYTES or run is None:
        raise ValueError("a list of integers is written otherwise")
    found = run.group()
    if max(found[1::2], default=0) < _MORE and found[::2] == b"\x40" * (len(found) // 2):
        return found[1::2]
    return [each[0] if len(each) == 1 else _varint(each) for each in _ONE.findall(found)]


def _varint(encoded: bytes) -> int:
    value = 0
    for at, byte in enumerate(encoded):
        value |= (byte & 0x7F) << 7 * at
    return value


def _values(message: memoryview, number: int) -> list[memoryview]:
    """Return the byte strings of a field."""
    return list(_each_value(message, number))


def _each_value(message: memoryview, number: int) -> Iterator[memoryview]:
    return (value for field, kind, value in _fields(message) if (field, kind) == (number, _BYTES))


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, kind and value of each field."""
    at, end = 0, len(message)
    while at < end:
        key, at = _number_at(message, at)
        kind = key & 7
        if kind == _VARINT:
            start = at
            _, at = _number_at(message, at)
        elif kind == _BYTES:
            length, start = _number_at(message, at)
            at = start + length
        elif kind in {_DOUBLE, _FLOAT}:
            start = at
            at += 8 if kind == _DOUBLE else 4
        else:
            raise ValueError(f"it has a field of kind {kind}")
        if at > end:
            raise ValueError("it is cut short")
        yield key >> 3, kind, message[start:at]


def _number_at(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7


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
