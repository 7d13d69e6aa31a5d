"""The model as one ONNX graph: from raw feature values to the probability, in double precision.

Written node by node rather than converted: `docs/adr/0003-onnx-export-by-hand.md` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.models.model import CATEGORIES, COLUMNS, NUMBERS, TREES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

NUMERIC: Final = "numeric"
CATEGORICAL: Final = "categorical"
PROBABILITY: Final = "probability"
LEAF_FLIGHTS: Final = "leaf_flights"
"""Metadata of the file: how many flights it learned from ended in each leaf."""
_ML: Final = "ai.onnx.ml"
_OPSET: Final = 21
_ML_OPSET: Final = 5  # the first with TreeEnsemble, which takes and gives doubles
_IR_VERSION: Final = 10
_SUM: Final = 1
_NO_TRANSFORM: Final = 0
_LESS_OR_EQUAL: Final = 0


def to_onnx(model: Pipeline) -> bytes:
    """Return a fitted model as ONNX bytes; equal models give equal bytes.

    Inputs are `numeric` (double [N, numbers], NaN is missing) and `categorical` (string [N,
    categories], "" is missing), in the order of the model's inputs; one that would have no columns
    is left out. Output is `probability` (double [N]).

    Args:
        model: What `fit_model` returned.
    """
    nodes: list[onnx.NodeProto] = []
    inputs: list[onnx.ValueInfoProto] = []
    constants: list[onnx.TensorProto] = []
    parts: list[str] = []
    numbers, categories = _inputs_of(model)
    if numbers:
        inputs.append(_value(NUMERIC, TensorProto.DOUBLE, numbers))
        parts.append(NUMERIC)
    if categories:
        inputs.append(_value(CATEGORICAL, TensorProto.STRING, len(categories)))
    for column, known in enumerate(categories):
        index, text, code = f"index_{column}", f"text_{column}", f"code_{column}"
        constants.append(_tensor(index, np.array([column], dtype=np.int64)))
        nodes.append(helper.make_node("Gather", [CATEGORICAL, index], [text], axis=1))
        nodes.append(_encoder(text, code, known))
        parts.append(code)
    nodes.append(helper.make_node("Concat", parts, ["row"], axis=1))
    forest = _Forest.of(model.named_steps[TREES])
    nodes += _probability_nodes(forest, model.named_steps[TREES], constants)
    output = helper.make_tensor_value_info(PROBABILITY, TensorProto.DOUBLE, ["N"])
    graph = helper.make_graph(nodes, "ontime", inputs, [output], initializer=constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, _ML_OPSET)]
    made = helper.make_model(
        graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="ontime"
    )
    # For explanations: what a tree says of a flight of which nothing is known.
    helper.set_model_props(made, {LEAF_FLIGHTS: " ".join(map(str, forest.leaf_flights))})
    onnx.checker.check_model(made)
    encoded: bytes = made.SerializeToString(deterministic=True)
    return encoded


def _inputs_of(model: Pipeline) -> tuple[int, list[list[str]]]:
    """Return the number of numeric inputs, and the known categories of each text input."""
    fitted = {name: (step, names) for name, step, names in model.named_steps[COLUMNS].transformers_}
    numbers = len(fitted[NUMBERS][1])
    if not len(fitted[CATEGORIES][1]):
        return numbers, []
    return numbers, [list(known) for known in fitted[CATEGORIES][0].categories_]


def _encoder(text: str, code: str, known: list[str]) -> onnx.NodeProto:
    """Return the node that gives a category its rank, and NaN to one that is not known."""
    return helper.make_node(
        "LabelEncoder",
        [text],
        [code],
        domain=_ML,
        keys_tensor=_tensor("keys", np.array(known, dtype=np.object_)),
        values_tensor=_tensor("values", np.arange(len(known), dtype=np.float64)),
        default_tensor=_tensor("default", np.array([np.nan])),
    )


def _probability_nodes(
    forest: _Forest, trees: HistGradientBoostingClassifier, constants: list[onnx.TensorProto]
) -> list[onnx.NodeProto]:
    """Return the nodes from a row of numbers to its probability: sigmoid(baseline + trees)."""
    baseline = trees._baseline_prediction  # noqa: SLF001 - scikit-learn does not publish its trees
    constants.append(_tensor("baseline", np.asarray(baseline, dtype=np.float64).reshape(1)))
    constants.append(_tensor("one_axis", np.array([1], dtype=np.int64)))
    return [
        forest.node("row", "sums"),
        helper.make_node("Squeeze", ["sums", "one_axis"], ["sum"]),
        helper.make_node("Add", ["sum", "baseline"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], [PROBABILITY]),
    ]


@dataclass
class _Forest:
    """The trees as TreeEnsemble wants them: inner nodes and leaves in one list each."""

    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    left_is_leaf: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    right_is_leaf: list[int] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    leaf_flights: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, trees: HistGradientBoostingClassifier) -> _Forest:
        """Return the trees of a fitted model."""
        forest = cls()
        for (tree,) in trees._predictors:  # noqa: SLF001 - scikit-learn does not publish its trees
            forest.add(tree.nodes)
        return forest

    def add(self, nodes: NDArray[np.void]) -> None:
        """Add a tree: scikit-learn's nodes, where a value <= the threshold goes left."""
        self.roots.append(len(self.features))
        if nodes["is_leaf"][0]:
            self._add_stump(float(nodes["value"][0]), int(nodes["count"][0]))
            return
        is_leaf = nodes["is_leaf"].astype(bool)
        place = np.where(
            is_leaf,
            len(self.leaves) + np.cumsum(is_leaf) - 1,
            len(self.features) + np.cumsum(~is_leaf) - 1,
        )
        inner = nodes[~is_leaf]
        self.leaves += nodes["value"][is_leaf].tolist()
        self.leaf_flights += nodes["count"][is_leaf].tolist()
        self.features += inner["feature_idx"].tolist()
        self.thresholds += inner["num_threshold"].tolist()
        self.missing_left += inner["missing_go_to_left"].tolist()
        self.left += place[inner["left"]].tolist()
        self.left_is_leaf += is_leaf[inner["left"]].astype(int).tolist()
        self.right += place[inner["right"]].tolist()
        self.right_is_leaf += is_leaf[inner["right"]].astype(int).tolist()

    def node(self, source: str, result: str) -> onnx.NodeProto:
        """Return the node that adds up one leaf of every tree."""
        count = len(self.features)
        return helper.make_node(
            "TreeEnsemble",
            [source],
            [result],
            domain=_ML,
            aggregate_function=_SUM,
            post_transform=_NO_TRANSFORM,
            n_targets=1,
            tree_roots=self.roots,
            nodes_featureids=self.features,
            nodes_modes=_tensor("modes", np.full(count, _LESS_OR_EQUAL, dtype=np.uint8)),
            nodes_splits=_tensor("splits", np.array(self.thresholds, dtype=np.float64)),
            nodes_missing_value_tracks_true=self.missing_left,
            nodes_truenodeids=self.left,
            nodes_trueleafs=self.left_is_leaf,
            nodes_falsenodeids=self.right,
            nodes_falseleafs=self.right_is_leaf,
            leaf_targetids=[0] * len(self.leaves),
            leaf_weights=_tensor("weights", np.array(self.leaves, dtype=np.float64)),
        )

    def _add_stump(self, value: float, flights: int) -> None:
        """Add a tree that is only a leaf: a node whose two ways end there."""
        self.features.append(0)
        self.thresholds.append(0.0)
        self.missing_left.append(1)
        self.left.append(len(self.leaves))
        self.right.append(len(self.leaves))
        self.left_is_leaf.append(1)
        self.right_is_leaf.append(1)
        self.leaves.append(value)
        self.leaf_flights += [flights, 0]


def _tensor(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def _value(name: str, kind: int, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["N", width])
