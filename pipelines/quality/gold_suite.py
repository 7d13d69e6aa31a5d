"""The expectations of a feature table, which it meets before anything is trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.catalog import FEATURES
from features.declare import columns as c
from features.offline.feature_table import gold_columns
from pipelines.quality.validation import QualityReport, validate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from great_expectations.expectations.expectation import Expectation
    from pyspark.sql import DataFrame

    from features.declare.declarations import Feature

_BEFORE_DEPARTURE = "predicted before the departure"


def validate_gold(
    frame: DataFrame, *, table: str, home: Path, features: Sequence[Feature] = FEATURES
) -> QualityReport:
    """Validate a feature table against the declarations of its features; return the report.

    Args:
        frame: The table.
        table: Its name.
        home: The home folder, where the data docs are.
        features: The declarations.

    Raises:
        DataQualityError: An expectation is not met; names it, the table and what was observed.
    """
    return validate(
        frame,
        rows=frame.count(),
        table=table,
        expectations=lambda: gold_expectations(features),
        conditions={_BEFORE_DEPARTURE: f"{c.PREDICTION_TIME} < {c.SCHEDULED_DEPARTURE}"},
        home=home,
    )


def gold_expectations(features: Sequence[Feature]) -> list[Expectation]:
    """Return the expectations of a feature table.

    Args:
        features: The declarations of its features, which name its columns and their limits.
    """
    from pipelines.quality import expectation_builders as expect  # noqa: PLC0415 - takes 2 s

    columns = [name for name, _ in gold_columns(tuple(features))]
    identity = (c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE, c.PREDICTION_TIME)
    limits = [
        expectation
        for feature in features
        if feature.dtype != "string"
        for expectation in expect.in_range(feature.name, feature.minimum, feature.maximum)
    ]
    return [
        expect.not_empty(),
        expect.columns_are([*columns, _BEFORE_DEPARTURE]),
        *expect.present(identity),
        *limits,
        *expect.in_range(c.LABEL, 0, 1),
        expect.unique([c.FLIGHT_ID]),
        expect.always(_BEFORE_DEPARTURE),
    ]
