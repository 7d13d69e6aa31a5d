"""Rows whose values of some columns come from other rows score as if they had these values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.training.made import part
from tests.training.world import FEATURES, settings
from training.models.exchanged_columns import Exchange, exchanged_log_odds
from training.models.fitted_model import FittedModel, fit_model
from training.models.graph_forms import Forest
from training.models.kinds import KINDS

TREES: dict[str, Any] = {"iterations": 12, "leaf_rows": 4}


def a_model(kind: str, **parameters: Any) -> FittedModel:
    chosen = {"kind": kind, kind: parameters}
    return fit_model(part("train"), part("validate"), FEATURES, settings(model=chosen).model)


def rows_of(model: FittedModel) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return encoded flights, some values of every column missing."""
    matrix = model.encoded(part("test").features).copy()
    matrix[np.random.default_rng(1).random(matrix.shape) < 0.1] = np.nan
    return matrix


def exchanges_of(columns: int, rows: int) -> list[Exchange]:
    """Return an exchange of nothing, of each column, of a few and of all."""
    random = np.random.default_rng(2)
    chosen = [(), *((each,) for each in range(columns)), (0, 2), tuple(range(columns))]
    return [Exchange(each, random.permutation(rows)) for each in chosen]


@pytest.mark.parametrize(
    ("kind", "parameters", "tolerance"),
    [
        ("hist_gradient_boosting", TREES | {"leaves": 8}, 0.0),
        ("hist_gradient_boosting", TREES | {"leaves": 150}, 0.0),  # more than a word has bits
        ("lightgbm", TREES | {"leaves": 8}, 1e-15),  # its sigmoid has another last bit
        ("logistic_regression", {}, 0.0),
    ],
)
def test_a_changed_matrix_is_scored_without_being_made(
    kind: str, parameters: dict[str, Any], tolerance: float
) -> None:
    # Given a model, rows, and exchanges of columns between them
    model = a_model(kind, **parameters)
    matrix = rows_of(model)
    exchanges = exchanges_of(matrix.shape[1], len(matrix))
    # When they are scored
    found = list(model.probabilities_exchanged(matrix, exchanges))
    # Then each is what the model gives the rows with these values
    assert len(found) == len(exchanges)
    for exchange, score in zip(exchanges, found, strict=True):
        changed = matrix.copy()
        for column in exchange.columns:
            changed[:, column] = matrix[exchange.rows, column]
        np.testing.assert_allclose(score, model.predict(changed), rtol=0, atol=tolerance)


def test_every_kind_was_tried() -> None:
    assert set(KINDS) == {"hist_gradient_boosting", "lightgbm", "logistic_regression"}


def test_a_tree_that_is_only_a_leaf_gives_its_value_to_every_row() -> None:
    # Given a forest of a leaf
    forest = Forest(baseline=0.5)
    forest.add_stump(0.25, 10)
    # When rows exchange the column that it does not look at
    order = np.arange(3)[::-1]
    found = exchanged_log_odds(forest, np.array([[1.0], [np.nan], [-1.0]]), [Exchange((0,), order)])
    # Then each has the sum of baseline and leaf
    assert found.tolist() == [[0.75, 0.75, 0.75]]
