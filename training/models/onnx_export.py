"""Exports a model as one ONNX graph, from raw feature values to the probability, in float64.

Written node by node rather than converted: see `docs/adr/0003-onnx-export-by-hand.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.models.columns import categories_of
from training.models.graph_forms import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.compose import ColumnTransformer

    from training.models.graph_forms import GraphForm, WeightedSum

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


def to_onnx(columns: ColumnTransformer, form: GraphForm) -> bytes:
    """Return a fitted model as ONNX bytes; equal models give equal bytes.

    Inputs are `numeric` (double [N, numbers], NaN is missing) and `categorical` (string [N,
    categories], "" is missing), in the order of the model's inputs; one that would have no columns
    is left out. Output is `probability` (double [N]).

    Args:
        columns: The fitted encoder of its inputs.
        form: From an encoded row to log-odds.
    """
    nodes: list[onnx.NodeProto] = []
    inputs: list[onnx.ValueInfoProto] = []
    constants: list[onnx.TensorProto] = []
    parts: list[str] = []
    numbers, categories = categories_of(columns)
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
    nodes += _sum_nodes(form, constants)
    nodes.append(helper.make_node("Add", ["sum", "baseline"], ["logit"]))
    nodes.append(helper.make_node("Sigmoid", ["logit"], [PROBABILITY]))
    output = helper.make_tensor_value_info(PROBABILITY, TensorProto.DOUBLE, ["N"])
    graph = helper.make_graph(nodes, "ontime", inputs, [output], initializer=constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, _ML_OPSET)]
    made = helper.make_model(
        graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="ontime"
    )
    if isinstance(form, Forest):  # for explanations: the mean of the leaves below a node
        helper.set_model_props(made, {LEAF_FLIGHTS: " ".join(map(str, form.leaf_flights))})
    onnx.checker.check_model(made)
    encoded: bytes = made.SerializeToString(deterministic=True)
    return encoded


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


def _sum_nodes(form: GraphForm, constants: list[onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Return the nodes from `row` to `sum`, the log-odds without the baseline."""
    constants.append(_tensor("baseline", np.array([form.baseline])))
    if isinstance(form, Forest):
        constants.append(_tensor("one_axis", np.array([1], dtype=np.int64)))
        return [_ensemble(form), helper.make_node("Squeeze", ["sums", "one_axis"], ["sum"])]
    return _weighted_sum(form, constants)


def _ensemble(forest: Forest) -> onnx.NodeProto:
    """Return the node that adds up one leaf of every tree."""
    count = len(forest.features)
    return helper.make_node(
        "TreeEnsemble",
        ["row"],
        ["sums"],
        domain=_ML,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        n_targets=1,
        tree_roots=forest.roots,
        nodes_featureids=forest.features,
        nodes_modes=_tensor("modes", np.full(count, _LESS_OR_EQUAL, dtype=np.uint8)),
        nodes_splits=_tensor("splits", np.array(forest.thresholds, dtype=np.float64)),
        nodes_missing_value_tracks_true=forest.missing_true,
        nodes_truenodeids=forest.true,
        nodes_trueleafs=forest.true_is_leaf,
        nodes_falsenodeids=forest.false,
        nodes_falseleafs=forest.false_is_leaf,
        leaf_targetids=[0] * len(forest.leaves),
        leaf_weights=_tensor("weights", np.array(forest.leaves, dtype=np.float64)),
    )


def _weighted_sum(form: WeightedSum, constants: list[onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Return the nodes that add up weight times distance from the centre, column after column.

    A running sum adds in the order of the columns; a product of matrices would not, and the scorer
    in Python gives the same bits only with the same order.
    """
    constants += [
        _tensor("centres", np.array(form.centres)),
        _tensor("weights", np.array(form.weights)),
        _tensor("last_axis", np.array(1, dtype=np.int64)),
        _tensor("last_column", np.array(len(form.weights) - 1, dtype=np.int64)),
    ]
    return [
        helper.make_node("IsNaN", ["row"], ["missing"]),
        helper.make_node("Where", ["missing", "centres", "row"], ["known"]),
        helper.make_node("Sub", ["known", "centres"], ["distances"]),
        helper.make_node("Mul", ["distances", "weights"], ["effects"]),
        helper.make_node("CumSum", ["effects", "last_axis"], ["running"]),
        helper.make_node("Gather", ["running", "last_column"], ["sum"], axis=1),
    ]


def _tensor(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def _value(name: str, kind: int, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["N", width])
