"""The scorer in pure Python gives the same bits as onnxruntime, on a real model."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from features.contract.feature_contract import contract_of
from serving.models.exported_graph import read_exported
from serving.models.model_loader import open_scorer
from serving.models.model_package import SelfTest
from serving.models.onnx_scorer import OnnxScorer
from serving.models.python_scorer import PythonScorer
from serving.models.scorer import ScorerError, require_self_test
from serving.models.tree_form import read_trees
from tests.pipelines.real_parts import gold
from tests.pipelines.scored_world import small_model
from tests.serving.support import ROOT, a_contract, a_model

if TYPE_CHECKING:
    from serving.models.scorer import FeatureValue

NAMES = [spec.name for spec in a_contract().features]
TEXTS = [spec.dtype == "string" for spec in a_contract().features]


@cache
def both() -> tuple[PythonScorer, OnnxScorer]:
    made = small_model()
    return PythonScorer(made.onnx, made.contract), OnnxScorer(made.onnx, made.contract)


def one_by_one(rows: list[list[FeatureValue]]) -> tuple[list[float], list[float]]:
    trees, reference = both()
    return trees.score(rows), [reference.score([row])[0] for row in rows]


def test_real_flights_get_the_same_bits() -> None:
    # Given flights of all days, some with missing values
    rows = [list(row.values()) for row in gold().select(NAMES).to_pylist()[::7]]
    assert any(None in row for row in rows)
    # Then each gets the probability of onnxruntime
    found, expected = one_by_one(rows)
    assert found == expected
    assert len(set(found)) > 100


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    blanks=st.sets(st.integers(0, len(NAMES) - 1)),
    value=st.one_of(st.floats(allow_infinity=True), st.none()),
    at=st.integers(0, len(NAMES) - 1),
)
def test_synthetic_rows_get_the_same_bits(
    seed: int, blanks: set[int], value: float | None, at: int
) -> None:
    # Given a flight with some features removed and one set to any value, infinity and NaN included
    row = list(gold().select(NAMES).slice(seed, 1).to_pylist()[0].values())
    row = [None if i in blanks else each for i, each in enumerate(row)]
    row[at] = "no such category" if TEXTS[at] else value
    # Then both scorers agree
    found, expected = one_by_one([row])
    assert found == expected


def test_values_equal_to_a_threshold_get_the_same_bits() -> None:
    # Given numbers set to a threshold of a node
    trees = read_trees(read_exported(small_model().onnx, TEXTS.count(False)))
    row = list(gold().select(NAMES).slice(5, 1).to_pylist()[0].values())
    numbers = [i for i, text in enumerate(TEXTS) if not text]
    rows = []
    for root in trees.roots[:12]:
        node = root
        while isinstance(node, tuple):
            column, threshold, node, _ = node
            at = column % (len(numbers) + sum(TEXTS))
            if at < len(numbers):
                rows.append([threshold if i == numbers[at] else each for i, each in enumerate(row)])
    assert len(rows) > 20
    found, expected = one_by_one(rows)
    assert found == expected


def test_the_self_test_holds() -> None:
    trees, _ = both()
    require_self_test(trees, msgspec.json.decode(small_model().self_test, type=SelfTest))


def test_no_rows_return_nothing() -> None:
    assert both()[0].score([]) == []


def test_a_graph_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ScorerError, match="its nodes are IsNaN"):
        PythonScorer(a_model(a_contract(), 0.25), a_contract())


def test_a_contract_of_other_inputs_is_refused() -> None:
    model = small_model().onnx
    with pytest.raises(ScorerError, match="export the version again"):
        PythonScorer(model, contract_of(120, 0.3, ["departure_minute", "scheduled_duration"]))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_gives_probabilities(data: st.DataObject) -> None:
    # Given the model truncated, or with one byte changed
    model = bytearray(small_model().onnx)
    at = data.draw(st.integers(0, len(model) - 1))
    if data.draw(st.booleans()):
        del model[at:]
    else:
        model[at] ^= data.draw(st.integers(1, 255))
    # Then it is refused or scores: no other error, no endless loop
    row: list[FeatureValue] = ["JFK" if text else 1.0 for text in TEXTS]
    try:
        (found,) = PythonScorer(bytes(model), small_model().contract).score([row])
        assert 0 <= found <= 1
    except ScorerError:
        pass


def test_onnxruntime_scores_where_it_is_installed() -> None:
    made = small_model()
    assert isinstance(open_scorer(made.onnx, made.contract), OnnxScorer)
    without = open_scorer(made.onnx, made.contract, with_onnxruntime=False)
    assert isinstance(without, PythonScorer)


def test_it_needs_nothing_but_python_and_msgspec() -> None:
    # Given a Python in which numpy and onnxruntime cannot be imported
    code = (
        "import sys\n"
        "sys.modules['numpy'] = sys.modules['onnxruntime'] = None\n"
        "import serving.models.python_scorer, serving.models.model_loader\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_model_that_gives_no_probability_is_refused() -> None:
    # Given a model whose baseline is NaN
    model = onnx.load_model_from_string(small_model().onnx)
    (baseline,) = (each for each in model.graph.initializer if each.name == "baseline")
    baseline.CopyFrom(numpy_helper.from_array(np.array([math.nan]), "baseline"))
    trees = PythonScorer(model.SerializeToString(), small_model().contract)
    # Then its answers are refused
    with pytest.raises(ScorerError, match="not probabilities"):
        trees.score([["JFK" if text else 1.0 for text in TEXTS]])
