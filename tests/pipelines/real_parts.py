"""Parts of the real feature table, made without Spark: what the stages of training read."""

from __future__ import annotations

import datetime as dt
import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from features.catalog import FEATURES
from features.offline.feature_table import features_table
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.stage_records import StageRecord
from pipelines.settings import load_settings
from tests.features.real_weeks import FIRST, LAST, real_weeks
from training.data.split import part_of
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from training.data.parts import Part
    from training.data.samples import Sample

TRAINING = TrainingSettings.model_validate(
    {
        "split": {
            "train_from": FIRST,
            "validate_from": FIRST + dt.timedelta(days=14),
            "test_from": FIRST + dt.timedelta(days=18),
            "test_until": LAST,
        },
        "model": {
            "hist_gradient_boosting": {
                "iterations": 12,
                "learning_rate": 0.2,
                "leaves": 15,
                "leaf_rows": 50,
            }
        },
        "naive": {
            "hist_gradient_boosting": {
                "iterations": 12,
                "learning_rate": 0.2,
                "leaves": 8,
                "leaf_rows": 50,
            }
        },
        "evaluation": {"replicates": 20, "slice_flights": 300},
        "gates": {
            "minimum_auc": 0.5,
            "margin_over_naive": 0.0,
            "maximum_calibration_error": 0.5,
            "slices_below_naive": 100,
            "maximum_row_microseconds": 100_000,
            "maximum_export_megabytes": 5,
        },
    }
)


@cache
def gold() -> pa.Table:
    """Return the feature table of 26 days of the real year."""
    world = real_weeks()
    wanted = np.ones(world.flights.num_rows, dtype=np.bool_)
    return features_table(world.flights, world.weather, wanted, horizon_min=120)


@cache
def real_part(part: Part) -> Sample:
    """Return the labelled flights of a part of those days."""
    return part_of(gold(), part, FEATURES, TRAINING.split)


def context_at(home: Path, training: TrainingSettings = TRAINING) -> RunContext:
    """Return a context in which the feature table has been built."""
    settings = load_settings("dev").model_copy(update={"home": home, "training": training})
    context = RunContext(settings, Console(io.StringIO()))
    built = {"table": "gold_features_h120", "version": 3, "gold_hash": "d" * 64, "rows": 20_000}
    context.records.write("build_features", StageRecord("f" * 64, {}, built, 1.0, "just now"))
    return context
