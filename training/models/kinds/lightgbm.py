"""Gradient-boosted trees of LightGBM, an optional library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from ontime_base.errors import OntimeError
from training.models.graph_forms import Forest
from training.models.interface import (
    Examples,
    Matrix,
    ModelKind,
    Probabilities,
    Report,
)
from training.models.tree_parameters import TREE_SEARCH_SPACE, TreeParameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sklearn.base import ClassifierMixin


class MissingLibraryError(OntimeError):
    """The library of a kind of model is not installed."""


class LightGbmParameters(TreeParameters):
    """Parameters of the trees; `feature_share` is that of the features used for each tree."""

    l2: float = Field(default=5.0, ge=0)
    feature_share: float = Field(default=0.3, gt=0, le=1)


class LightGbm(ModelKind[LightGbmParameters]):
    """LightGBM's trees, fitted deterministically."""

    name = "lightgbm"
    step = "trees"
    parameters = LightGbmParameters
    search_space = TREE_SEARCH_SPACE
    libraries = ("lightgbm",)
    trusted_types = (
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
    )

    def fit(
        self, train: Examples, validate: Examples | None, parameters: LightGbmParameters
    ) -> ClassifierMixin:
        """Return the fitted trees.

        Raises:
            MissingLibraryError: LightGBM is not installed.
        """
        trees = _trees(parameters)
        if validate is None:
            return trees.fit(train.matrix, train.label)
        return trees.fit(
            train.matrix,
            train.label,
            eval_X=(validate.matrix,),
            eval_y=(validate.label,),
            eval_metric="binary_logloss",
            callbacks=[_lightgbm().early_stopping(parameters.patience, verbose=False)],
        )

    def iterations(self, estimator: ClassifierMixin) -> int:
        """Return the number of trees."""
        return int(estimator.best_iteration_ or estimator.n_estimators_)

    def predict_by_iteration(
        self, estimator: ClassifierMixin, matrix: Matrix
    ) -> Iterator[Probabilities]:
        """Yield the probabilities after each tree."""
        log_odds = np.zeros(len(matrix))
        for number in range(self.iterations(estimator)):
            log_odds += estimator.booster_.predict(
                matrix, raw_score=True, start_iteration=number, num_iteration=1
            )
            yield 1 / (1 + np.exp(-log_odds))

    def fit_in_steps(
        self, train: Examples, parameters: LightGbmParameters, every: int, report: Report
    ) -> None:
        """Grow the trees, and report them after every so many."""

        def step(state: Any) -> None:  # noqa: ANN401 - LightGBM has no types
            number = state.iteration + 1
            if number % every == 0:
                report(number, state.model.predict)

        _trees(parameters).fit(train.matrix, train.label, callbacks=[step])

    def graph_form(self, estimator: ClassifierMixin) -> Forest:
        """Return the trees, from LightGBM's own description of them."""
        forest = Forest()
        found = estimator.booster_.dump_model(num_iteration=self.iterations(estimator))
        for tree in found["tree_info"]:
            root = tree["tree_structure"]
            if "leaf_value" in root:
                forest.add_stump(root["leaf_value"], root.get("leaf_count", 1))
            else:
                forest.roots.append(len(forest.features))
                _add(forest, root)
        return forest

    def describe(self, parameters: LightGbmParameters) -> str:
        """Return a sentence on the trees."""
        return (
            f"Gradient-boosted trees of LightGBM ({parameters.iterations} at most, "
            f"{parameters.leaves} leaves each) are added up; missing values are a value of their "
            "own."
        )


def _lightgbm() -> Any:  # noqa: ANN401 - LightGBM has no types
    try:
        return import_module("lightgbm")
    except ImportError as error:
        raise MissingLibraryError(
            "training.model.kind is lightgbm, and the library is not installed: install it with "
            "`pip install lightgbm` (the extra `lightgbm` of this project), or choose another kind."
        ) from error


def _trees(parameters: LightGbmParameters) -> Any:  # noqa: ANN401 - LightGBM has no types
    return _lightgbm().LGBMClassifier(
        n_estimators=parameters.iterations,
        learning_rate=parameters.learning_rate,
        num_leaves=parameters.leaves,
        min_child_samples=parameters.leaf_rows,
        reg_lambda=parameters.l2,
        colsample_bytree=parameters.feature_share,
        random_state=parameters.seed,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )


def _add(forest: Forest, node: Mapping[str, Any]) -> int:
    """Add an inner node and all below it, and return its place."""
    place = len(forest.features)
    forest.features.append(node["split_feature"])
    forest.thresholds.append(node["threshold"])
    # Where training saw no missing value, LightGBM takes one for zero.
    unseen = node["missing_type"] == "None"
    left = node["threshold"] >= 0 if unseen else node["default_left"]
    forest.missing_true.append(int(left))
    for side in (forest.true, forest.true_is_leaf, forest.false, forest.false_is_leaf):
        side.append(0)
    forest.true[place], forest.true_is_leaf[place] = _child(forest, node["left_child"])
    forest.false[place], forest.false_is_leaf[place] = _child(forest, node["right_child"])
    return place


def _child(forest: Forest, node: Mapping[str, Any]) -> tuple[int, int]:
    if "leaf_value" not in node:
        return _add(forest, node), 0
    forest.leaves.append(node["leaf_value"])
    forest.leaf_flights.append(node["leaf_count"])
    return len(forest.leaves) - 1, 1


KIND: Final = LightGbm()
