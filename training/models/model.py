"""The model: text columns to numbers, then gradient-boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from training.settings import wait_without_spinning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.settings import BoosterSettings

COLUMNS: Final = "columns"
TREES: Final = "trees"
NUMBERS: Final = "numbers"
CATEGORIES: Final = "categories"
# So many flights at the average rate are added to a category's own: rare ones rank in the middle.
_PRIOR_FLIGHTS: Final = 50


def fit_model(
    train: Sample,
    validate: Sample,
    features: Sequence[Feature],
    settings: BoosterSettings,
) -> Pipeline:
    """Return the model fitted to the training part; equal inputs give equal bits.

    Categories become numbers in the order of how often their flights were late in the training
    part; a category that is missing or was not there is NaN, which the trees route like any
    missing number.

    Args:
        train: What it learns from.
        validate: Where it may stop early; looked at only with `patience`.
        features: Its inputs, a selection of the samples' features, in order.
        settings: Parameters of the trees.
    """
    wait_without_spinning()
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - its threads have been told to wait

    columns = encoder_of(train, features)
    trees = trees_of(settings)
    names = [feature.name for feature in features]
    matrix = columns.fit_transform(train.features[names])
    if settings.patience is None:
        trees.fit(matrix, train.label)
    else:
        later = columns.transform(validate.features[names])
        trees.fit(matrix, train.label, X_val=later, y_val=validate.label)
    return Pipeline([(COLUMNS, columns), (TREES, trees)])


def probabilities(model: Pipeline, features: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probability of a late arrival of each row, 0 to 1.

    Args:
        model: What `fit_model` returned.
        features: The model's inputs by name; other columns are not looked at.
    """
    found: NDArray[np.float64] = model.predict_proba(features[inputs_of(model)])[:, 1]
    return found


def inputs_of(model: Pipeline) -> list[str]:
    """Return the names of a fitted model's inputs, in order."""
    names: list[str] = model.feature_names_in_.tolist()
    return names


def ranked_by_lateness(categories: pd.Series[str], label: NDArray[np.int8]) -> list[str]:
    """Return the categories of a column, the least often late first; missing ("") is left out."""
    counts = pd.Series(label).groupby(categories.to_numpy()).agg(["sum", "size"])
    known = counts[counts.index != ""]
    late = known["sum"] + _PRIOR_FLIGHTS * float(label.mean())
    shares = late / (known["size"] + _PRIOR_FLIGHTS)
    rate: dict[str, float] = dict(zip(known.index, shares, strict=True))
    return sorted(rate, key=lambda name: (rate[name], name))


def encoder_of(train: Sample, features: Sequence[Feature]) -> ColumnTransformer:
    """Return what makes numbers of the inputs, not fitted yet; ranks categories on a sample."""
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415 - as in fit_model
    from sklearn.preprocessing import OrdinalEncoder  # noqa: PLC0415 - as in fit_model

    numbers = [feature.name for feature in features if feature.dtype == "float64"]
    texts = [feature.name for feature in features if feature.dtype == "string"]
    ranked = [ranked_by_lateness(train.features[name], train.label) for name in texts]
    encoder = OrdinalEncoder(
        categories=ranked, handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    return ColumnTransformer(
        [(NUMBERS, "passthrough", numbers), (CATEGORIES, encoder, texts)],
        verbose_feature_names_out=False,
    )


def trees_of(settings: BoosterSettings) -> HistGradientBoostingClassifier:
    """Return the trees, not grown yet."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - as in fit_model

    return HistGradientBoostingClassifier(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf_rows,
        l2_regularization=settings.l2,
        max_features=settings.feature_share,
        early_stopping=settings.patience is not None,
        n_iter_no_change=settings.patience or 1,
        random_state=settings.seed,
    )
