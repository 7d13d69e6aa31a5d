"""Local dates and hours checked against UTC instants, for weather and flights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.silver.fields import INSTANT, WHOLE, Field, with_rule
from features.silver.reference_tables import AIRPORT, TIME_ZONE
from features.silver.values import DAY_S, HOUR_S, wall_seconds

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

HOUR_AT = "hour_at"
# The files have the local date and hour, and the same hour as an instant; both must agree.
HOUR_FIELDS = (
    Field(raw="year", name="year", kind=WHOLE, required=True, minimum=1900, maximum=2100),
    Field(raw="month", name="month", kind=WHOLE, required=True, minimum=1, maximum=12),
    Field(raw="day", name="day", kind=WHOLE, required=True, minimum=1, maximum=31),
    Field(raw="hour", name="hour", kind=WHOLE, required=True, minimum=0, maximum=24),
    Field(raw="time_hour", name=HOUR_AT, kind=INSTANT, required=True),
)


def with_zone(frame: DataFrame, airports: DataFrame, *, column: str, raw: str) -> DataFrame:
    """Return the frame with `<column>_zone`, the time zone of an airport.

    A row whose airport is not in silver airports, or has no time zone there, is refused.

    Args:
        frame: Rows with a refusal.
        airports: Silver airports, a row for each.
        column: The column with the airport's code.
        raw: Its name in the source file, for the reason of a refusal.
    """
    known = F.broadcast(
        airports.select(
            F.col(AIRPORT).alias(column),
            F.col(TIME_ZONE).alias(f"{column}_zone"),
            F.lit(True).alias("_known"),  # noqa: FBT003 - a literal column
        )
    )
    joined = frame.join(known, on=column, how="left")
    joined = with_rule(
        joined, "unknown_airport", F.col("_known").isNull(),
        f"{raw} is '", F.col(column), "', which is not in the airports table.",
    )  # fmt: skip
    joined = with_rule(
        joined, "no_time_zone", F.col(f"{column}_zone").isNull(),
        f"{raw} is '", F.col(column), "', which has no time zone in the airports table.",
    )  # fmt: skip
    return joined.drop("_known")


def with_hour_checked(frame: DataFrame, *, zone: str) -> DataFrame:
    """Return the frame with rows refused whose local date and hour contradict `time_hour`.

    Hour 24 is hour 0 of the next day.

    Args:
        frame: Rows with the hour fields and a refusal.
        zone: The column with the time zone.
    """
    is_24 = F.col("hour") == 24  # noqa: PLR2004 - midnight at the end of the day
    wall = wall_seconds(F.col(HOUR_AT), F.col(zone))
    clock = wall - F.when(is_24, HOUR_S).otherwise(0)
    date = local_date(clock)
    agrees = (
        (F.year(date) == F.col("year"))
        & (F.month(date) == F.col("month"))
        & (F.dayofmonth(date) == F.col("day"))
        & (_hour(clock) == F.when(is_24, 23).otherwise(F.col("hour")))
    )
    date_text = F.concat_ws("-", "year", "month", "day")
    return with_rule(
        frame, "contradiction", ~agrees,
        "time_hour is hour ", _hour(wall), " of ", local_date(wall), " in ", F.col(zone),
        ", but year, month, day and hour say hour ", F.col("hour"), " of ", date_text, ".",
    )  # fmt: skip


def local_date(wall: Column) -> Column:
    """Return the date on a local clock that shows `wall` seconds since 1970-01-01."""
    return F.date_from_unix_date(F.floor(wall / DAY_S).cast("int"))


def _hour(wall: Column) -> Column:
    return F.floor(F.pmod(wall, F.lit(DAY_S)) / HOUR_S)
