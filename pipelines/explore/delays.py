"""Late arrivals by any group: the figures behind the pictures of `01_explore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from features.declare import columns as c

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

LATE_MIN: Final = 15
LATE_SHARE: Final = "late_share"
ARRIVALS: Final = "arrivals"
GROUP: Final = "group"
MISSING: Final = "missing_share"
_MINUTES_PER_HOUR: Final = 60


def late_share_by(flights: DataFrame, group: Column) -> DataFrame:
    """Return by group the arrivals, and the share of them 15 minutes late or more, in its order.

    Cancelled and diverted flights have no arrival and count in neither.
    """
    late = F.avg(F.when(F.col(c.ARRIVAL_DELAY) >= LATE_MIN, 1.0).otherwise(0.0))
    arrived = flights.where(F.col(c.ARRIVAL_DELAY).isNotNull())
    grouped = arrived.groupBy(group.alias(GROUP))
    return grouped.agg(late.alias(LATE_SHARE), F.count("*").alias(ARRIVALS)).orderBy(GROUP)


def local_hour() -> Column:
    """Return the scheduled departure's hour, local at the origin."""
    seconds = F.unix_seconds(F.col(c.SCHEDULED_DEPARTURE))
    local = F.floor(seconds / _MINUTES_PER_HOUR) + F.col(c.ORIGIN_OFFSET)
    return F.pmod(F.floor(local / _MINUTES_PER_HOUR), F.lit(24)).cast("int")


def with_weather(flights: DataFrame, weather: DataFrame) -> DataFrame:
    """Add the weather at the origin in the hour of the scheduled departure; null without one.

    For analysis only: at the prediction time this weather is not known yet.
    """
    hour = F.date_trunc("hour", F.col(c.OBSERVED)).alias("_hour")
    hourly = weather.groupBy(F.col(c.AIRPORT).alias(c.ORIGIN), hour).agg(
        *(F.max(name).alias(name) for name in (c.WIND_SPEED, c.VISIBILITY, c.PRECIPITATION))
    )
    timed = flights.withColumn("_hour", F.date_trunc("hour", F.col(c.SCHEDULED_DEPARTURE)))
    return timed.join(F.broadcast(hourly), on=[c.ORIGIN, "_hour"], how="left").drop("_hour")


def bands(column: str, *, width: float, most: float) -> Column:
    """Return the lower end of the band of a value; all from `most` on are in the last.

    Null without a value.
    """
    capped = F.least(F.col(column), F.lit(most))  # of null and `most` it is `most`
    return F.when(F.col(column).isNotNull(), F.floor(capped / width) * width)


def routes(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """Return destination, arrivals, late share, latitude and longitude; unknown places left out."""
    by_destination = late_share_by(flights, F.col(c.DESTINATION))
    places = airports.select(F.col(c.AIRPORT).alias(GROUP), "latitude", "longitude")
    return by_destination.join(F.broadcast(places), on=GROUP, how="inner").orderBy(ARRIVALS)


def missing_by_month(table: DataFrame, instant: str, columns: Mapping[str, str]) -> DataFrame:
    """Return by month, in UTC, the share of missing values of each column.

    Args:
        table: The table.
        instant: The column that the month is taken from.
        columns: By column the name it is to have.
    """
    share = [
        F.avg(F.col(name).isNull().cast("double")).alias(title) for name, title in columns.items()
    ]
    month = F.date_trunc("month", F.col(instant)).cast("date").alias("month")
    return table.groupBy(month).agg(*share).where(F.col("month").isNotNull()).orderBy("month")
