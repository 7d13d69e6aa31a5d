"""Columns: numeric features as they are, text features as ranks; missing is NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.compose import ColumnTransformer

    from features.declare.declarations import Feature
    from training.data.samples import Sample

NUMBERS: Final = "numbers"
CATEGORIES: Final = "categories"
# So many flights at the average rate are added to a category's own: rare ones rank in the middle.
_PRIOR_FLIGHTS: Final = 50


def ranked_by_lateness(categories: pd.Series[str], label: NDArray[np.int8]) -> list[str]:
    """Return the categories of a column, the least often late first; missing ("") is left out."""
    counts = pd.Series(label).groupby(categories.to_numpy()).agg(["sum", "size"])
    known = counts[counts.index != ""]
    late = known["sum"] + _PRIOR_FLIGHTS * float(label.mean())
    shares = late / (known["size"] + _PRIOR_FLIGHTS)
    rate: dict[str, float] = dict(zip(known.index, shares, strict=True))
    return sorted(rate, key=lambda name: (rate[name], name))


def encoder_of(train: Sample, features: Sequence[Feature]) -> ColumnTransformer:
    """Return the encoder of the inputs, not fitted yet.

    Categories become numbers in the order of how often their flights were late in the training
    part; a category that is missing or was not there is NaN.

    Args:
        train: Where the categories are ranked.
        features: The inputs, in order.
    """
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415 - after wait_without_spinning
    from sklearn.preprocessing import OrdinalEncoder  # noqa: PLC0415 - after wait_without_spinning

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


def categories_of(columns: ColumnTransformer) -> tuple[int, list[list[str]]]:
    """Return the number of numeric inputs, and the known categories of each text input.

    Args:
        columns: What `encoder_of` returned, fitted.
    """
    fitted = {name: (step, names) for name, step, names in columns.transformers_}
    numbers = len(fitted[NUMBERS][1])
    if not len(fitted[CATEGORIES][1]):
        return numbers, []
    return numbers, [list(known) for known in fitted[CATEGORIES][0].categories_]
