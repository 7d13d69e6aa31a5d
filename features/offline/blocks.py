"""The feature table in Spark, computed in blocks of days (ADR 0001).

Every feature has a bounded look-back window, so a block of days can be computed from its own rows
and the halo of days around it: one shuffle for all features. A full rebuild, a new day and a repair
of late data call the same function with other days.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyspark.sql.functions as F
import pyspark.sql.types as T

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import MAX_WINDOW_DAYS, MINUTES_PER_DAY
from features.declare.streams import LATE_FROM_MIN, MAX_EVENT_LAG_MIN
from features.offline.feature_table import features_table, gold_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from features.declare.declarations import Feature

BLOCK: Final = "_block"
DAY: Final = "_day"
WANTED: Final = "_wanted"

LOOK_BACK_DAYS: Final = MAX_WINDOW_DAYS + 2 + MAX_EVENT_LAG_MIN // MINUTES_PER_DAY
"""Days of flights before a block that it may read: window, horizon and partial day, event lag."""

LOOK_AHEAD_DAYS: Final = 1
"""Days of flights after a block that it may read: the scheduled traffic around a departure."""


@dataclass(frozen=True, slots=True)
class DayRange:
    """Whole days, both ends included; None means unbounded."""

    first: dt.date | None = None
    last: dt.date | None = None

    def holds(self, day: Column) -> Column:
        """Return the condition that a day is in the range."""
        inside = F.lit(True)  # noqa: FBT003 - a literal column has no other spelling
        if self.first is not None:
            inside &= day >= F.lit(self.first)
        if self.last is not None:
            inside &= day <= F.lit(self.last)
        return inside

    def sql(self, column: str) -> str:
        """Return the same condition over a named column as SQL."""
        ends = ((">=", self.first), ("<=", self.last))
        return " AND ".join(f"{column} {sign} DATE'{day}'" for sign, day in ends if day) or "true"

    def widened(self, before: int, after: int) -> DayRange:
        """Return the range, extended at both ends."""
        return DayRange(
            None if self.first is None else self.first - dt.timedelta(days=before),
            None if self.last is None else self.last + dt.timedelta(days=after),
        )


EVERY_DAY: Final = DayRange()

_SPARK_TYPES: Final[dict[str, T.DataType]] = {
    "string": T.StringType(),
    "date": T.DateType(),
    "instant": T.TimestampType(),
    "float64": T.DoubleType(),
    "int32": T.IntegerType(),
}


def gold_schema(features: tuple[Feature, ...] = FEATURES) -> T.StructType:
    """Return the schema of the feature table: identity, times, features, label."""
    columns = gold_columns(features)
    return T.StructType([T.StructField(name, _SPARK_TYPES[kind]) for name, kind in columns])


def to_features(
    flights: DataFrame,
    weather: DataFrame,
    *,
    horizon_min: int,
    block_days: int,
    days: DayRange = EVERY_DAY,
    late_from_min: int = LATE_FROM_MIN,
    features: tuple[Feature, ...] = FEATURES,
) -> DataFrame:
    """Return the feature table: one row per flight of silver_flights in the range of days.

    Args:
        flights: silver_flights; at least the range and its halo.
        weather: silver_weather, likewise.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        block_days: Days of flights that one task computes.
        days: The flight dates (local, at the origin) to compute.
        late_from_min: Arrival delay from which a flight is labelled late.
        features: The features to compute, by default the catalog.

    Returns:
        A frame of `gold_schema(features)`, unordered. A feature is null as it declares; the label
        is null for a flight that did not arrive.
    """
    halo = days.widened(LOOK_BACK_DAYS + 1, LOOK_AHEAD_DAYS + 1)  # a local day is not a UTC day
    flight_rows = flights.where(halo.holds(F.col(c.FLIGHT_DATE))).select(
        *FLIGHT_COLUMNS, c.FLIGHT_DATE, days.holds(F.col(c.FLIGHT_DATE)).alias(WANTED)
    )
    weather_rows = weather.where(halo.holds(F.to_date(c.KNOWN))).select(*WEATHER_COLUMNS)
    return (
        with_blocks(flight_rows, c.SCHEDULED_DEPARTURE, block_days=block_days)
        .groupBy(BLOCK)
        .cogroup(with_blocks(weather_rows, c.KNOWN, block_days=block_days).groupBy(BLOCK))
        .applyInArrow(
            _block_function(horizon_min, late_from_min, block_days, features),
            schema=gold_schema(features),
        )
    )


def with_blocks(rows: DataFrame, instant: str, *, block_days: int) -> DataFrame:
    """Return each row once for every block that may read it, with the block's number.

    These are the block of its own UTC day, later blocks within the look-back, and the block of the
    day before it.
    """
    day = F.unix_date(F.to_date(instant))
    first = F.floor((day - LOOK_AHEAD_DAYS) / F.lit(block_days))
    last = F.floor((day + LOOK_BACK_DAYS) / F.lit(block_days))
    return rows.withColumn(DAY, day).withColumn(BLOCK, F.explode(F.sequence(first, last)))


def _block_function(
    horizon_min: int, late_from_min: int, block_days: int, features: tuple[Feature, ...]
) -> Callable[[tuple[pa.Scalar, ...], pa.Table, pa.Table], pa.Table]:
    def features_of_block(
        key: tuple[pa.Scalar, ...], flights: pa.Table, weather: pa.Table
    ) -> pa.Table:
        own = flights[DAY].to_numpy() // block_days == key[0].as_py()
        wanted = own & flights[WANTED].to_numpy()
        return features_table(
            flights,
            weather,
            wanted,
            horizon_min=horizon_min,
            late_from_min=late_from_min,
            features=features,
        )

    return features_of_block
