"""A small made-up year of flights, with a cause of lateness that a model can find."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.arithmetic import same
from features.declare import columns as c
from features.declare.declarations import DataType, Feature
from training.data.samples import to_sample
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.data.samples import Sample
    from training.models.model_settings import ModelSettings

DAYS = 40
PER_DAY = 50
FIRST = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
CONF: dict[str, Any] = {
    "split": {
        "train_from": FIRST,
        "validate_from": FIRST + dt.timedelta(days=20),
        "test_from": FIRST + dt.timedelta(days=30),
        "test_until": FIRST + dt.timedelta(days=40),
    },
    "naive_families": ["schedule"],
    "model": {
        "hist_gradient_boosting": {
            "iterations": 25,
            "learning_rate": 0.2,
            "leaves": 8,
            "leaf_rows": 10,
        }
    },
    "naive": {
        "hist_gradient_boosting": {
            "iterations": 10,
            "learning_rate": 0.2,
            "leaves": 4,
            "leaf_rows": 20,
        }
    },
    "evaluation": {"replicates": 25, "slice_flights": 100},
    "gates": {
        "minimum_auc": 0.6,
        "margin_over_naive": 0.05,
        "maximum_calibration_error": 0.2,
        "maximum_row_microseconds": 1000,
        "maximum_export_megabytes": 1,
    },
}


def settings(**over: Any) -> TrainingSettings:
    """Return settings for the small world, with sections replaced."""
    return TrainingSettings.model_validate({**CONF, **over})


def with_parameters(model: ModelSettings, **parameters: Any) -> ModelSettings:
    """Return the same kind of model with some parameters changed."""
    return model.with_parameters(model.parameters.model_copy(update=parameters))


def feature(name: str, family: str, dtype: DataType = "float64") -> Feature:
    """Return a declared feature of no consequence."""
    return Feature(name, family, "min", f"The {name}.", "unknown", (), same, dtype)


FEATURES = (
    feature(c.CARRIER, "schedule", "string"),
    feature(c.ORIGIN, "schedule", "string"),
    feature("departure_minute", "schedule"),
    feature("late_before", "recent"),
    feature("wind", "weather"),
)


def gold(*, seed: int = 0, days: int = DAYS) -> pa.Table:
    """Return rows of a feature table: lateness follows `late_before`, a third of it unknown."""
    random = np.random.default_rng(seed)
    rows = days * PER_DAY
    departure = [
        FIRST + dt.timedelta(days=row // PER_DAY, minutes=20 * (row % PER_DAY))
        for row in range(rows)
    ]
    late_before = random.normal(size=rows)
    chance = 1 / (1 + np.exp(1 - 2 * late_before))
    unknown = random.random(rows) < 1 / 3
    arrived = random.random(rows) < 0.95
    minute = [float(60 * at.hour + at.minute) for at in departure]
    label = pa.array((random.random(rows) < chance).astype(np.int32), mask=~arrived)
    return pa.table(
        {
            c.FLIGHT_ID: [f"UA-{row}" for row in range(rows)],
            c.FLIGHT_DATE: [at.date() for at in departure],
            c.SCHEDULED_DEPARTURE: pa.array(departure, pa.timestamp("us", tz="UTC")),
            c.CARRIER: pa.array(random.choice(["UA", "AA"], rows), mask=random.random(rows) < 0.1),
            c.ORIGIN: random.choice(["EWR", "JFK"], rows),
            "departure_minute": minute,
            "late_before": pa.array(late_before, mask=unknown),
            "wind": random.normal(size=rows),
            c.LABEL: label,
        }
    )


def sample(*, seed: int = 0, days: int = DAYS) -> Sample:
    """Return the labelled flights of the made-up feature table."""
    rows = gold(seed=seed, days=days)
    return to_sample(rows.filter(rows[c.LABEL].is_valid()), FEATURES)
