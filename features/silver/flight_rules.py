"""Rules over several columns of a flight: a row that contradicts itself is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare import columns as c
from features.silver.fields import with_rule
from features.silver.values import DAY_S, wall_seconds

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RULE = "contradiction"
_DAY_MIN = 1440


def with_schedule_checked(rows: DataFrame) -> DataFrame:
    """Return the rows, refused where the schedule's columns do not agree with each other."""
    departure = F.col(c.SCHEDULED_DEPARTURE)
    at_origin = _clock(wall_seconds(departure, F.col(f"{c.ORIGIN}_zone")))
    rows = with_rule(
        rows, RULE, at_origin != F.col("sched_dep_time"),
        "sched_dep_time is ", _shown(F.col("sched_dep_time")),
        ", but time_hour and minute make ", _shown(at_origin), ".",
    )  # fmt: skip
    return with_rule(
        rows, "impossible_value", F.col(c.ORIGIN) == F.col(c.DESTINATION),
        "origin and dest are both '", F.col(c.ORIGIN), "'.",
    )  # fmt: skip


def with_outcome_checked(rows: DataFrame) -> DataFrame:
    """Return the rows, refused where what happened does not agree with itself or the schedule."""
    departed, arrived = F.col("dep_time").isNotNull(), F.col("arr_time").isNotNull()
    for name, delay, event, happened in (
        ("dep", F.col(c.DEPARTURE_DELAY), "dep_time", departed),
        ("arr", F.col(c.ARRIVAL_DELAY), "arr_time", arrived),
    ):
        rows = with_rule(
            rows, RULE, delay.isNotNull() & ~happened,
            f"{name}_delay is ", delay, f", but {event} is missing.",
        )  # fmt: skip
        expected = F.pmod(F.col(f"sched_{event}") + delay, F.lit(_DAY_MIN))
        rows = with_rule(
            rows, RULE, expected != F.col(event),
            f"{event} is ", _shown(F.col(event)), f", but sched_{event} and {name}_delay make ",
            _shown(expected), ".",
        )  # fmt: skip
    rows = with_rule(
        rows, RULE, departed & F.col(c.DEPARTURE_DELAY).isNull(),
        "dep_time is ", _shown(F.col("dep_time")), ", but dep_delay is missing.",
    )  # fmt: skip
    rows = with_rule(
        rows, RULE, arrived & ~departed,
        "arr_time is ", _shown(F.col("arr_time")), ", but dep_time is missing.",
    )  # fmt: skip
    rows = with_rule(
        rows, RULE, F.col(c.AIR_TIME).isNotNull() & F.col(c.ARRIVAL_DELAY).isNull(),
        "air_time is ", F.col(c.AIR_TIME), ", but arr_delay is missing.",
    )  # fmt: skip
    return with_rule(
        rows, "impossible_value", F.col(c.ARRIVED) <= F.col(c.DEPARTED),
        "It would arrive at ", F.col(c.ARRIVED), ", no later than it departed (",
        F.col(c.DEPARTED), ").",
    )  # fmt: skip


def _clock(wall: Column) -> Column:
    """Return minutes since midnight on a local clock."""
    return F.floor(F.pmod(wall, F.lit(DAY_S)) / 60)


def _shown(minutes: Column) -> Column:
    """Return minutes since midnight as the files write them: 517 for 317 minutes."""
    return F.lpad((F.floor(minutes / 60) * 100 + minutes % 60).cast("string"), 4, "0")
