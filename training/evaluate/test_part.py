"""Scores the test part with a model and the naive model, and adds the columns of the slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from features.declare import columns as c
from training.evaluate.evaluation import Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.data.samples import Sample
    from training.models.fitted_model import FittedModel

# The feature with the local hour: minutes since midnight at the origin.
DEPARTURE_MINUTE: Final = "departure_minute"


def score_sample(sample: Sample, model: FittedModel, naive: FittedModel) -> Scored:
    """Return a sample's flights with both models' probabilities.

    Args:
        sample: Labelled flights with every declared feature.
        model: The model.
        naive: The naive model.
    """
    return Scored(
        label=sample.label,
        days=sample.days,
        score=model.probabilities(sample.features),
        naive=naive.probabilities(sample.features),
        properties=_properties(sample),
    )


def _properties(sample: Sample) -> dict[str, NDArray[np.str_]]:
    """Return origin, carrier, month and local hour of each flight, as text that sorts."""
    features = sample.features
    hour = (features[DEPARTURE_MINUTE].to_numpy() // 60).astype(np.int64)
    return {
        c.ORIGIN: features[c.ORIGIN].to_numpy(dtype=np.str_),
        c.CARRIER: features[c.CARRIER].to_numpy(dtype=np.str_),
        "month": sample.days.astype("datetime64[M]").astype(np.str_),
        "hour": np.char.zfill(hour.astype(np.str_), 2),
    }
