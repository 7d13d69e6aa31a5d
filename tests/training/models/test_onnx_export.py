"""The exported graph equals the scikit-learn model, in every corner of its inputs."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.training.world import FEATURES, sample, settings, with_parameters
from training.models.fitted_model import fit_model
from training.models.onnx_export import CATEGORICAL, NUMERIC, PROBABILITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.declare.declarations import Feature
    from training.models.fitted_model import FittedModel

NUMBERS = tuple(feature for feature in FEATURES if feature.dtype == "float64")
TEXTS = tuple(feature for feature in FEATURES if feature.dtype == "string")
LIMIT = 1e-12


@cache
def exported(features: tuple[Feature, ...] = FEATURES) -> tuple[FittedModel, Any]:
    """Return a model and a session of its export."""
    model = fit_model(sample(), sample(), features, settings().model)
    return model, onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])


def scored(session: Any, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the graph's probabilities of rows."""
    numbers = [feature.name for feature in NUMBERS if feature.name in rows]
    texts = [feature.name for feature in TEXTS if feature.name in rows]
    inputs: dict[str, object] = {}
    if numbers:
        inputs[NUMERIC] = rows[numbers].to_numpy(np.float64)
    if texts:
        inputs[CATEGORICAL] = rows[texts].to_numpy(np.object_)
    found: NDArray[np.float64] = session.run([PROBABILITY], inputs)[0]
    return found


def thresholds(model: FittedModel) -> list[float]:
    """Return every number at which a tree of the model branches."""
    predictors = model.estimator._predictors  # noqa: SLF001 - scikit-learn shows trees nowhere else
    trees = [tree.nodes for (tree,) in predictors]
    found = {float(at) for nodes in trees for at in nodes["num_threshold"][nodes["is_leaf"] == 0]}
    return sorted(found)


def test_it_agrees_on_real_looking_rows() -> None:
    # Given a model, its export, and flights that it has not seen
    model, session = exported()
    rows = sample(seed=3).features
    # When both score them, Then they agree to the last bits, in doubles
    found = scored(session, rows)
    assert found.dtype == np.float64
    assert found.shape == (len(rows),)
    assert np.abs(found - model.probabilities(rows)).max() < LIMIT


def test_one_row_alone_is_scored_as_among_others() -> None:
    _, session = exported()
    rows = sample(seed=4).features.head(50)
    together = scored(session, rows)
    alone = [scored(session, rows.iloc[[row]])[0] for row in range(len(rows))]
    assert np.abs(together - alone).max() < LIMIT


@given(data=st.data())
@hypothesis_settings(max_examples=40, deadline=None)
def test_it_agrees_on_any_row(data: st.DataObject) -> None:
    # Given numbers: any, missing, endless, exactly at a branch, or as close to it as can be
    model, session = exported()
    at = st.sampled_from(thresholds(model))
    number = st.one_of(
        st.floats(allow_nan=True, allow_infinity=True),
        at,
        at.map(lambda value: float(np.nextafter(value, np.inf))),
        at.map(lambda value: float(np.nextafter(value, -np.inf))),
        at.map(lambda value: float(np.float32(value))),
    )
    # And texts: known, missing, or never seen
    text = st.one_of(st.sampled_from(["UA", "AA", "EWR", "JFK", ""]), st.text(max_size=4))
    kinds = {feature.name: number for feature in NUMBERS} | {each.name: text for each in TEXTS}
    rows = data.draw(st.lists(st.fixed_dictionaries(kinds), min_size=1, max_size=12))
    # When both score them, Then they agree
    frame = pd.DataFrame(rows)[[feature.name for feature in FEATURES]]
    assert np.abs(scored(session, frame) - model.probabilities(frame)).max() < LIMIT


@pytest.mark.parametrize("features", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_a_model_of_one_kind_of_feature_has_one_input(features: tuple[Feature, ...]) -> None:
    model, session = exported(features)
    rows = sample(seed=3).features[[feature.name for feature in features]]
    wanted = NUMERIC if features == NUMBERS else CATEGORICAL
    assert [(each.name, each.shape) for each in session.get_inputs()] == [
        (wanted, ["N", len(features)])
    ]
    assert np.abs(scored(session, rows) - model.probabilities(rows)).max() < LIMIT


def test_trees_without_a_branch_are_exported_too() -> None:
    # Given leaves so large that no tree can branch
    how = with_parameters(settings().naive, leaf_rows=10_000)
    model = fit_model(sample(), sample(), FEATURES, how)
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    # When it is exported, Then every flight's probability is the same
    rows = sample().features.head(3)
    assert np.abs(scored(session, rows) - model.probabilities(rows)).max() < LIMIT


def test_equal_models_give_equal_bytes_and_others_do_not() -> None:
    # Given two models fitted alike, and one with another seed
    def digest(seed: int) -> str:
        how = with_parameters(settings().model, seed=seed, feature_share=0.5)
        model = fit_model(sample(), sample(), FEATURES, how)
        return hashlib.sha256(model.to_onnx()).hexdigest()

    assert digest(0) == digest(0) != digest(1)


def test_the_graph_is_valid_and_contains_no_time_or_place_of_its_export() -> None:
    model = onnx.load_from_string(exported()[0].to_onnx())
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version, model.doc_string) == ("ontime", "", "")
    assert [each.key for each in model.metadata_props] == ["leaf_flights"]
