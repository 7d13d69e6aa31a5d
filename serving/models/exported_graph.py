"""The graph that `training.models.onnx_export` writes, read with the standard library alone.

Encoders of the text inputs come first, then one of two forms from a row to log-odds: trees
(`tree_form`) or a weighted sum (`linear_form`), then the sigmoid. Any other graph is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.models.onnx_file import OnnxNode, array_of, read_graph, strings_of
from serving.models.scorer import ScorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract.feature_contract import Contract
    from serving.models.scorer import FeatureValue

TREES: Final = ("TreeEnsemble", "Squeeze")
WEIGHTED_SUM: Final = ("IsNaN", "Where", "Sub", "Mul", "CumSum", "Gather")
_ENCODING: Final = ("Gather", "LabelEncoder")
_START, _END = ("Concat",), ("Add", "Sigmoid")


@dataclass(frozen=True, slots=True)
class ExportedGraph:
    """An exported model without its form.

    Attributes:
        numbers: Number of numeric inputs.
        categories: Rank by category, for each text input.
        form: The nodes from a row to the sum.
        constants: Tensors by name.
        metadata: Properties of the model.
        baseline: Added to the sum.
    """

    numbers: int
    categories: tuple[dict[str, float], ...]
    form: tuple[OnnxNode, ...]
    constants: dict[str, memoryview]
    metadata: dict[str, str]
    baseline: float

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators of the form: `TREES` or `WEIGHTED_SUM`."""
        return tuple(node.kind for node in self.form)

    @property
    def width(self) -> int:
        """Number of columns of a row."""
        return self.numbers + len(self.categories)


def read_exported(model: bytes, numbers: int) -> ExportedGraph:
    """Return the graph of an ONNX file.

    Args:
        model: The file.
        numbers: Number of numeric inputs in its contract.

    Raises:
        ScorerError: It is not a file that this project exports.
    """
    try:
        return _read(model, numbers)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> ScorerError:
    """Return the error for a file that only onnxruntime can read."""
    return ScorerError(
        f"The model cannot be read without onnxruntime ({error}): export the version again, or "
        "install onnxruntime where it is served."
    )


class RowReader:
    """Turns rows of feature values into the columns of a model.

    Args:
        graph: The exported model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The model has another number of text inputs than its contract.
    """

    def __init__(self, graph: ExportedGraph, contract: Contract) -> None:
        features = list(enumerate(contract.features))
        self.numbers = [i for i, feature in features if feature.dtype != "string"]
        self.strings = [i for i, feature in features if feature.dtype == "string"]
        if len(graph.categories) != len(self.strings):
            raise ScorerError(
                f"The model takes {len(graph.categories)} texts, where its contract asks for "
                f"{len(self.strings)}: export the version again."
            )
        self._ranks: list[tuple[int, dict[Any, float]]] = list(
            zip(self.strings, graph.categories, strict=True)
        )

    def columns(self, row: Sequence[FeatureValue]) -> list[Any]:
        """Return the numeric features of a row, then the ranks of its categories."""
        nan = math.nan
        values: list[Any] = [nan if row[i] is None else row[i] for i in self.numbers]
        values += [ranks.get(row[i] or "", nan) for i, ranks in self._ranks]
        return values


def numbers_of(contract: Contract) -> int:
    """Return the number of numeric features of a contract."""
    return sum(feature.dtype != "string" for feature in contract.features)


def _read(model: bytes, numbers: int) -> ExportedGraph:
    graph = read_graph(model)
    kinds = tuple(node.kind for node in graph.nodes)
    start = kinds.index(*_START) if _START[0] in kinds else 0
    encoders, form = graph.nodes[:start], tuple(graph.nodes[start + 1 : -len(_END)])
    operators = tuple(node.kind for node in form)
    expected = _ENCODING * (start // len(_ENCODING)) + _START + operators + _END
    if kinds != expected or operators not in {TREES, WEIGHTED_SUM}:
        raise ValueError(f"its nodes are {', '.join(dict.fromkeys(kinds))}")
    categories = tuple(_categories(node) for node in encoders[1::2])
    parts = ["numeric"] * bool(numbers) + [f"code_{i}" for i in range(len(categories))]
    if graph.nodes[start].inputs != parts or graph.nodes[-2].inputs != ["sum", "baseline"]:
        raise ValueError("its columns are concatenated in another order")
    for at, gather in enumerate(encoders[::2]):
        index = array_of(graph.constants[gather.inputs[1]], "q")
        if gather.inputs[0] != "categorical" or list(index) != [at]:
            raise ValueError("its text inputs are concatenated in another order")
    (baseline,) = array_of(graph.constants["baseline"], "d")
    return ExportedGraph(numbers, categories, form, graph.constants, graph.metadata, baseline)


def _categories(node: OnnxNode) -> dict[str, float]:
    keys = strings_of(node.tensor("keys_tensor"))
    ranks, (default,) = (
        array_of(node.tensor(f"{name}_tensor"), "d") for name in ("values", "default")
    )
    if len(ranks) != len(keys) or not math.isnan(default):
        raise ValueError("its categories have other ranks")
    return dict(zip(keys, ranks, strict=True))
