"""Gradient-boosted trees over histograms: scikit-learn's HistGradientBoostingClassifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

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
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin


class HistGradientBoostingParameters(TreeParameters):
    """Parameters of the trees; `feature_share` is that of the features tried for each split."""


class HistGradientBoosting(ModelKind[HistGradientBoostingParameters]):
    """scikit-learn's histogram-based boosting: the default."""

    name = "hist_gradient_boosting"
    step = "trees"
    parameters = HistGradientBoostingParameters
    search_space = TREE_SEARCH_SPACE
    # A TreePredictor of a malicious file could crash the process; ours come from our own store.
    trusted_types = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)

    def fit(
        self,
        train: Examples,
        validate: Examples | None,
        parameters: HistGradientBoostingParameters,
    ) -> ClassifierMixin:
        """Return the fitted trees."""
        trees = _trees(parameters)
        if validate is None:
            return trees.fit(train.matrix, train.label)
        return trees.fit(train.matrix, train.label, X_val=validate.matrix, y_val=validate.label)

    def iterations(self, estimator: ClassifierMixin) -> int:
        """Return the number of trees."""
        return int(estimator.n_iter_)

    def predict_by_iteration(
        self, estimator: ClassifierMixin, matrix: Matrix
    ) -> Iterator[Probabilities]:
        """Yield the probabilities after each tree."""
        for both in estimator.staged_predict_proba(matrix):
            yield both[:, 1]

    def fit_in_steps(
        self,
        train: Examples,
        parameters: HistGradientBoostingParameters,
        every: int,
        report: Report,
    ) -> None:
        """Grow the trees in steps, each of which continues the previous one (warm start)."""
        trees = _trees(parameters.limited_to(every))
        trees.set_params(warm_start=True)
        for number in range(every, parameters.iterations + 1, every):
            trees.set_params(max_iter=number)
            trees.fit(train.matrix, train.label)
            report(number, lambda matrix: self.predict(trees, matrix))

    def graph_form(self, estimator: ClassifierMixin) -> Forest:
        """Return the trees, from attributes that scikit-learn does not publish."""
        baseline = np.asarray(estimator._baseline_prediction)  # noqa: SLF001 - not published
        forest = Forest(float(baseline.reshape(1)[0]))
        for (tree,) in estimator._predictors:  # noqa: SLF001 - as above
            _add(forest, tree.nodes)
        return forest

    def describe(self, parameters: HistGradientBoostingParameters) -> str:
        """Return a sentence on the trees."""
        return (
            f"Gradient-boosted trees ({parameters.iterations} at most, {parameters.leaves} leaves "
            "each) are added up; missing values are a value of their own."
        )


def _trees(parameters: HistGradientBoostingParameters) -> ClassifierMixin:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - takes a second

    return HistGradientBoostingClassifier(
        max_iter=parameters.iterations,
        learning_rate=parameters.learning_rate,
        max_leaf_nodes=parameters.leaves,
        min_samples_leaf=parameters.leaf_rows,
        l2_regularization=parameters.l2,
        max_features=parameters.feature_share,
        early_stopping=parameters.patience is not None,
        n_iter_no_change=parameters.patience or 1,
        random_state=parameters.seed,
    )


def _add(forest: Forest, nodes: NDArray[np.void]) -> None:
    """Add a tree: scikit-learn's nodes, where a value <= the threshold goes left."""
    if nodes["is_leaf"][0]:
        forest.add_stump(float(nodes["value"][0]), int(nodes["count"][0]))
        return
    forest.roots.append(len(forest.features))
    is_leaf = nodes["is_leaf"].astype(bool)
    place = np.where(
        is_leaf,
        len(forest.leaves) + np.cumsum(is_leaf) - 1,
        len(forest.features) + np.cumsum(~is_leaf) - 1,
    )
    inner = nodes[~is_leaf]
    forest.leaves += nodes["value"][is_leaf].tolist()
    forest.leaf_flights += nodes["count"][is_leaf].tolist()
    forest.features += inner["feature_idx"].tolist()
    forest.thresholds += inner["num_threshold"].tolist()
    forest.missing_true += inner["missing_go_to_left"].tolist()
    forest.true += place[inner["left"]].tolist()
    forest.true_is_leaf += is_leaf[inner["left"]].astype(int).tolist()
    forest.false += place[inner["right"]].tolist()
    forest.false_is_leaf += is_leaf[inner["right"]].astype(int).tolist()


KIND: Final = HistGradientBoosting()
