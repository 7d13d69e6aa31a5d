"""The reasons of a prediction add up to it."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.models.explanations import MAIN_REASONS, PATHS, Explainer
from serving.models.exported_graph import numbers_of, read_exported
from serving.models.python_scorer import PythonScorer
from serving.models.scorer import ScorerError
from serving.models.tree_form import read_trees
from serving.stores.artifacts.local import FolderArtifactStore
from tests.pipelines.real_parts import gold
from tests.pipelines.scored_world import release_small_model, small_model
from tests.serving.support import a_contract, a_model, a_service, body_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.models.scorer import FeatureValue
    from serving.models.tree_form import Node

NAMES = [spec.name for spec in a_contract().features]
LIMIT = 1e-9


@cache
def explainer() -> Explainer:
    made = small_model()
    return Explainer(made.onnx, made.contract)


@cache
def scorer() -> PythonScorer:
    return PythonScorer(small_model().onnx, small_model().contract)


@cache
def rows() -> list[list[FeatureValue]]:
    return [list(row.values()) for row in gold().select(NAMES).to_pylist()[::11]]


def log_odds(row: list[FeatureValue]) -> float:
    return scorer().log_odds(row)


def test_the_effects_and_the_base_are_the_log_odds() -> None:
    for row in rows():
        total = explainer().base + sum(explainer().effects(row))
        assert math.isclose(total, log_odds(row), abs_tol=LIMIT)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    blanks=st.sets(st.integers(0, len(NAMES) - 1)),
    value=st.one_of(st.floats(), st.none()),
    at=st.integers(0, len(NAMES) - 1),
)
def test_they_add_up_for_any_row(seed: int, blanks: set[int], value: float | None, at: int) -> None:
    row = list(rows()[seed % len(rows())])
    for blank in blanks:
        row[blank] = None
    if not isinstance(row[at], str):
        row[at] = value
    found = explainer().explain(row)
    total = found.base + sum(reason.effect for reason in found.reasons) + found.others
    assert math.isclose(total, log_odds(row), abs_tol=LIMIT)
    # And the main ones come first
    sizes = [abs(reason.effect) for reason in found.reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) <= MAIN_REASONS


def test_a_mean_is_over_the_flights_that_the_model_learned_from() -> None:
    # Given scikit-learn's own trees, with what they count
    predictors = small_model().model.estimator._predictors

    def mean_of(nodes: Any, at: int = 0) -> float:
        node = nodes[at]
        if node["is_leaf"]:
            return float(node["value"])
        low, high = int(node["left"]), int(node["right"])
        counts = int(nodes[low]["count"]), int(nodes[high]["count"])
        assert sum(counts) == int(node["count"])
        parts = mean_of(nodes, low) * counts[0] + mean_of(nodes, high) * counts[1]
        return parts / sum(counts)

    # Then the base is the sum of their means
    expected = sum(mean_of(tree.nodes) for (tree,) in predictors)
    trees = read_trees(read_exported(small_model().onnx, numbers_of(small_model().contract)))
    assert math.isclose(explainer().base, trees.baseline + expected, abs_tol=LIMIT)


def columns_of(node: Node) -> Iterator[int]:
    if isinstance(node, tuple):
        yield node[0]
        yield from columns_of(node[2])
        yield from columns_of(node[3])


def a_spec() -> Any:
    return small_model().contract.features


def test_a_feature_that_no_tree_tests_has_no_effect() -> None:
    # Given the features that no node of the model compares
    texts = [spec.dtype == "string" for spec in a_spec()]
    order = sorted(range(len(NAMES)), key=lambda i: texts[i])  # columns: numbers, then texts
    trees = read_trees(read_exported(small_model().onnx, texts.count(False)))
    used = {order[column % trees.width] for root in trees.roots for column in columns_of(root)}
    unused = set(range(len(NAMES))) - used
    # Then they have no effect on any flight
    for row in rows()[:50]:
        effects = explainer().effects(row)
        assert all(effects[i] == 0 for i in unused)


def test_a_model_without_leaf_counts_is_not_store_errors() -> None:
    with pytest.raises(ScorerError):
        Explainer(a_model(a_contract(), 0.25), a_contract())


def test_an_answer_has_its_reasons_on_request(home: Path) -> None:
    # Given a real model
    release_small_model(FolderArtifactStore(home / "store"), "2")
    service = a_service(home)
    plain = json.loads(service.predict(body_of()).answer)
    answer = json.loads(service.predict(body_of(), explain=True).answer)
    # Then the answer is the same but for its reasons, which add up to it, in words
    explanation = answer.pop("explanation")
    assert set(answer) == set(plain)
    assert answer["probability"] == plain["probability"]
    assert explanation["method"] == PATHS
    total = explanation["base"] + sum(each["effect"] for each in explanation["reasons"])
    probability = 1 / (1 + math.exp(-total - explanation["others"]))
    assert math.isclose(probability, answer["probability"], abs_tol=LIMIT)
    assert all(len(each["about"]) > 10 for each in explanation["reasons"])


def test_without_counts_there_are_none(home: Path) -> None:
    # Given the model of `a_model`, which has no trees
    answer = json.loads(a_service(home).predict(body_of(), explain=True).answer)
    assert answer["explanation"] is None
