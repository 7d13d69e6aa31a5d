"""The scorer of onnxruntime, on a small ONNX model."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from features.contract.feature_contract import Contract, contract_of
from serving.models.model_package import SelfTest
from serving.models.onnx_scorer import OnnxScorer
from serving.models.scorer import FeatureValue, ScorerError, require_self_test
from tests.serving.support import a_contract, a_model, a_self_test


@pytest.fixture
def contract() -> Contract:
    return a_contract()


@pytest.fixture
def scorer(contract: Contract) -> OnnxScorer:
    return OnnxScorer(a_model(contract, 0.25), contract)


def row_of(contract: Contract, number: float | None) -> list[FeatureValue]:
    return ["JFK" if spec.dtype == "string" else number for spec in contract.features]


def test_a_batch_gives_what_its_rows_give_alone(contract: Contract, scorer: OnnxScorer) -> None:
    # Given rows with and without missing values
    rows = [row_of(contract, n) for n in (0.0, 1.0, -2.5, None, math.nan, 1e300)]
    # Then one vectorized call gives the same bits as one call each
    together = scorer.score(rows)
    assert together == [scorer.score([row])[0] for row in rows]
    assert together[0] == pytest.approx(0.25, abs=1e-12)
    assert together[1] != together[2]


def test_missing_is_nan(contract: Contract, scorer: OnnxScorer) -> None:
    none, nan = scorer.score([row_of(contract, None), row_of(contract, math.nan)])
    assert none == nan


def test_no_rows_return_nothing(scorer: OnnxScorer) -> None:
    assert scorer.score([]) == []


def test_a_contract_of_numbers_alone_is_scored() -> None:
    # Given a model without text features
    contract = contract_of(120, 0.3, ["departure_minute", "scheduled_duration"])
    scorer = OnnxScorer(_without_text(contract), contract)
    # Then it scores
    assert scorer.score([[0.0, 0.0]]) == [pytest.approx(0.5)]


@pytest.mark.parametrize("model", [b"", b"no model", b"\x08\x01" * 50])
def test_bytes_that_are_no_model_are_refused(contract: Contract, model: bytes) -> None:
    with pytest.raises(ScorerError, match="cannot be loaded"):
        OnnxScorer(model, contract)


def test_a_model_of_other_inputs_is_refused(contract: Contract) -> None:
    fewer = contract_of(120, 0.3, [spec.name for spec in contract.features][:-1])
    with pytest.raises(ScorerError, match="where its contract asks for"):
        OnnxScorer(a_model(contract, 0.25), fewer)


def test_a_truncated_model_is_refused(contract: Contract) -> None:
    model = a_model(contract, 0.25)
    with pytest.raises(ScorerError):
        OnnxScorer(model[: len(model) // 2], contract)


def test_an_output_that_is_not_a_probability_is_refused() -> None:
    # Given a model whose output can be anything
    contract = contract_of(120, 0.3, ["departure_minute", "scheduled_duration"])
    scorer = OnnxScorer(_without_text(contract, last="Identity"), contract)
    # Then values outside 0 to 1, and NaN, are refused
    assert scorer.score([[0.5, 0.25]]) == [0.75]
    for number in (3.0, -1.0, None):
        with pytest.raises(ScorerError, match="not probabilities"):
            scorer.score([[number, 0.0]])


def test_a_model_that_fails_at_run_time_is_reported() -> None:
    # Given a model of the right signature that reads a column which is not there
    contract = contract_of(120, 0.3, ["departure_minute", "scheduled_duration"])
    column = numpy_helper.from_array(np.array(99, dtype=np.int64), "axis")
    node = helper.make_node("Gather", ["numeric", "axis"], ["probability"], axis=1)
    scorer = OnnxScorer(_of_numbers(contract, [node], column), contract)
    # Then the error states that it cannot be run
    with pytest.raises(ScorerError, match="cannot be run"):
        scorer.score([[0.0, 0.0]])


def test_the_self_test_holds_for_the_model_it_came_with(
    contract: Contract, scorer: OnnxScorer
) -> None:
    require_self_test(scorer, a_self_test(contract, 0.25))
    require_self_test(scorer, a_self_test(contract, 0.25 + 9e-7))


@pytest.mark.parametrize("probability", [0.25 + 2e-6, 0.5, math.nan])
def test_another_answer_fails_the_self_test(
    contract: Contract, scorer: OnnxScorer, probability: float
) -> None:
    with pytest.raises(ScorerError, match="row 0 of its self-test"):
        require_self_test(scorer, a_self_test(contract, probability))


def test_a_self_test_without_rows_fails(scorer: OnnxScorer) -> None:
    for test in (SelfTest([], []), SelfTest([[1.0]], [])):
        with pytest.raises(ScorerError, match="holds no rows"):
            require_self_test(scorer, test)


def _without_text(contract: Contract, last: str = "Sigmoid") -> bytes:
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")
    nodes = [
        helper.make_node("ReduceSum", ["numeric", "axis"], ["total"], keepdims=0),
        helper.make_node(last, ["total"], ["probability"]),
    ]
    return _of_numbers(contract, nodes, axis)


def _of_numbers(
    contract: Contract, nodes: list[onnx.NodeProto], constant: onnx.TensorProto
) -> bytes:
    width = len(contract.numeric)
    graph = helper.make_graph(
        nodes,
        "numbers",
        [helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, ["N", width])],
        [helper.make_tensor_value_info("probability", TensorProto.DOUBLE, ["N"])],
        [constant],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    data: bytes = model.SerializeToString()
    return data


def test_arrays_give_what_rows_give(contract: Contract, scorer: OnnxScorer) -> None:
    # Given the same rows as arrays
    rows = [row_of(contract, n) for n in (0.0, None, -2.5)]
    numbers = np.array([[n] * len(contract.numeric) for n in (0.0, math.nan, -2.5)])
    texts = np.full((3, len(contract.categorical)), "JFK", dtype=np.object_)
    # Then the probabilities are the same
    assert scorer.score_arrays(numbers, texts).tolist() == scorer.score(rows)
    assert scorer.score_arrays(numbers[:0], texts[:0]).tolist() == []


def test_arrays_that_get_no_probabilities_are_refused() -> None:
    contract = contract_of(120, 0.3, ["departure_minute", "scheduled_duration"])
    scorer = OnnxScorer(_without_text(contract, last="Identity"), contract)
    texts = np.empty((2, 0), dtype=np.object_)
    assert scorer.score_arrays(np.full((2, 2), 0.25), texts).tolist() == [0.5, 0.5]
    for number in (3.0, -1.0, math.nan):
        with pytest.raises(ScorerError, match="not probabilities"):
            scorer.score_arrays(np.full((2, 2), number), texts)
