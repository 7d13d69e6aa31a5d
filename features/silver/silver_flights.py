"""Silver flights: UTC instants from local clock times; contradictory rows are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare import columns as c
from features.declare.streams import CANCELLATION_KNOWN_AFTER_MIN, DIVERSION_KNOWN_AFTER_MIN
from features.silver.fields import CLOCK, REFUSAL, WHOLE, Field, with_fields, with_rule
from features.silver.local_time import (
    HOUR_AT,
    HOUR_FIELDS,
    local_date,
    with_hour_checked,
    with_zone,
)
from features.silver.values import (
    DAY_S,
    HOUR_S,
    first_instant_after,
    minutes_later,
    offset_min,
    wall_seconds,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


_CONTRADICTION = "contradiction"
_DAY_MIN = 1440
_LONGEST_DELAY_MIN = 4320
_MOST_EARLY_MIN = -360
FIELDS = (
    Field(raw="carrier", name=c.CARRIER, required=True),
    Field(raw="flight", name=c.FLIGHT_NUMBER, kind=WHOLE, required=True, minimum=0, maximum=99_999),
    Field(raw="origin", name=c.ORIGIN, required=True),
    Field(raw="dest", name=c.DESTINATION, required=True),
    *HOUR_FIELDS,
    Field(raw="minute", name="minute", kind=WHOLE, required=True, minimum=0, maximum=59),
    Field(raw="sched_dep_time", name="sched_dep_time", kind=CLOCK, required=True),
    Field(raw="sched_arr_time", name="sched_arr_time", kind=CLOCK, required=True),
    Field(raw="distance", name=c.DISTANCE, kind=WHOLE, required=True, minimum=1, maximum=13_000),
    Field(raw="tailnum", name=c.TAIL_NUMBER),
    Field(raw="dep_time", name="dep_time", kind=CLOCK),
    Field(
        raw="dep_delay", name=c.DEPARTURE_DELAY, kind=WHOLE,
        minimum=_MOST_EARLY_MIN, maximum=_LONGEST_DELAY_MIN,
    ),
    Field(raw="arr_time", name="arr_time", kind=CLOCK),
    Field(
        raw="arr_delay", name=c.ARRIVAL_DELAY, kind=WHOLE,
        minimum=_MOST_EARLY_MIN, maximum=_LONGEST_DELAY_MIN,
    ),
    Field(raw="air_time", name=c.AIR_TIME, kind=WHOLE, minimum=1, maximum=1440),
)  # fmt: skip
SILVER_COLUMNS = (
    c.FLIGHT_ID, c.CARRIER, c.FLIGHT_NUMBER, c.TAIL_NUMBER, c.ORIGIN, c.DESTINATION,
    c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL, c.ORIGIN_OFFSET, c.DESTINATION_OFFSET,
    c.DEPARTED, c.ARRIVED, c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.AIR_TIME, c.DISTANCE, c.STATUS,
    c.DEPARTURE_KNOWN, c.ARRIVAL_KNOWN, c.CANCELLATION_KNOWN, c.DIVERSION_KNOWN, c.FLIGHT_DATE,
)  # fmt: skip


def to_flights(bronze: DataFrame, airports: DataFrame) -> DataFrame:
    """Return the candidates for silver flights.

    Grain: as bronze; key: `flight_id`, which is carrier, flight number and the UTC hour of the
    scheduled departure. Instants are in UTC; an event that did not happen is null.

    Args:
        bronze: Flights as received.
        airports: Silver airports.
    """
    rows = with_fields(bronze, FIELDS)
    rows = with_zone(rows, airports, column=c.ORIGIN, raw="origin")
    rows = with_zone(rows, airports, column=c.DESTINATION, raw="dest")
    rows = with_hour_checked(rows, zone=f"{c.ORIGIN}_zone")
    rows = with_schedule_checked(with_schedule(rows))
    rows = with_outcome_checked(with_outcome(rows))
    return with_known_times(rows).select(*SILVER_COLUMNS, *c.LINEAGE, REFUSAL)


def with_schedule(rows: DataFrame) -> DataFrame:
    """Return the rows with their scheduled instants, UTC offsets, local date and `flight_id`.

    The scheduled arrival is the first instant after the scheduled departure at which the clock of
    the destination shows the scheduled arrival time.
    """
    origin_zone, destination_zone = F.col(f"{c.ORIGIN}_zone"), F.col(f"{c.DESTINATION}_zone")
    departure, arrival = F.col(c.SCHEDULED_DEPARTURE), F.col(c.SCHEDULED_ARRIVAL)
    rows = rows.withColumn(c.SCHEDULED_DEPARTURE, minutes_later(F.col(HOUR_AT), F.col("minute")))
    rows = rows.withColumn(
        c.SCHEDULED_ARRIVAL,
        first_instant_after(departure, F.col("sched_arr_time"), destination_zone),
    )
    seconds = F.unix_seconds(departure)
    day = F.date_format(local_date(seconds), "yyyyMMdd")
    hour = F.lpad(F.floor(F.pmod(seconds, F.lit(DAY_S)) / HOUR_S).cast("string"), 2, "0")
    return rows.withColumns(
        {
            c.ORIGIN_OFFSET: offset_min(departure, origin_zone),
            c.DESTINATION_OFFSET: offset_min(arrival, destination_zone),
            c.FLIGHT_DATE: local_date(wall_seconds(departure, origin_zone)),
            c.FLIGHT_ID: F.concat_ws("-", c.CARRIER, c.FLIGHT_NUMBER, F.concat(day, hour)),
        }
    )


def with_outcome(rows: DataFrame) -> DataFrame:
    """Return the rows with instants of departure and arrival, and the status.

    A flight that did not depart is cancelled; one that departed and has no arrival delay, diverted.
    """
    departed = F.when(
        F.col("dep_time").isNotNull(),
        minutes_later(F.col(c.SCHEDULED_DEPARTURE), F.col(c.DEPARTURE_DELAY)),
    )
    arrived = minutes_later(F.col(c.SCHEDULED_ARRIVAL), F.col(c.ARRIVAL_DELAY))
    status = (
        F.when(F.col("dep_time").isNull(), c.CANCELLED_STATUS)
        .when(F.col(c.ARRIVAL_DELAY).isNull(), c.DIVERTED_STATUS)
        .otherwise(c.ARRIVED_STATUS)
    )
    return rows.withColumns({c.DEPARTED: departed, c.ARRIVED: arrived, c.STATUS: status})


def with_known_times(rows: DataFrame) -> DataFrame:
    """Return the rows with the known-at time of each event; null for one that did not happen."""
    cancelled, diverted = (
        F.col(c.STATUS) == status for status in (c.CANCELLED_STATUS, c.DIVERTED_STATUS)
    )
    cancellation = minutes_later(F.col(c.SCHEDULED_DEPARTURE), F.lit(CANCELLATION_KNOWN_AFTER_MIN))
    diversion = minutes_later(F.col(c.SCHEDULED_ARRIVAL), F.lit(DIVERSION_KNOWN_AFTER_MIN))
    return rows.withColumns(
        {
            c.DEPARTURE_KNOWN: F.col(c.DEPARTED),
            c.ARRIVAL_KNOWN: F.col(c.ARRIVED),
            c.CANCELLATION_KNOWN: F.when(cancelled, cancellation),
            c.DIVERSION_KNOWN: F.when(diverted, diversion),
        }
    )


def with_schedule_checked(rows: DataFrame) -> DataFrame:
    """Return the rows, refused where the columns of the schedule contradict each other."""
    departure = F.col(c.SCHEDULED_DEPARTURE)
    at_origin = _clock(wall_seconds(departure, F.col(f"{c.ORIGIN}_zone")))
    rows = with_rule(
        rows, _CONTRADICTION, at_origin != F.col("sched_dep_time"),
        "sched_dep_time is ", _shown(F.col("sched_dep_time")),
        ", but time_hour and minute make ", _shown(at_origin), ".",
    )  # fmt: skip
    return with_rule(
        rows, "impossible_value", F.col(c.ORIGIN) == F.col(c.DESTINATION),
        "origin and dest are both '", F.col(c.ORIGIN), "'.",
    )  # fmt: skip


def with_outcome_checked(rows: DataFrame) -> DataFrame:
    """Return the rows, refused where the outcome contradicts itself or the schedule."""
    departed, arrived = F.col("dep_time").isNotNull(), F.col("arr_time").isNotNull()
    for name, delay, event, happened in (
        ("dep", F.col(c.DEPARTURE_DELAY), "dep_time", departed),
        ("arr", F.col(c.ARRIVAL_DELAY), "arr_time", arrived),
    ):
        rows = with_rule(
            rows, _CONTRADICTION, delay.isNotNull() & ~happened,
            f"{name}_delay is ", delay, f", but {event} is missing.",
        )  # fmt: skip
        expected = F.pmod(F.col(f"sched_{event}") + delay, F.lit(_DAY_MIN))
        rows = with_rule(
            rows, _CONTRADICTION, expected != F.col(event),
            f"{event} is ", _shown(F.col(event)), f", but sched_{event} and {name}_delay make ",
            _shown(expected), ".",
        )  # fmt: skip
    rows = with_rule(
        rows, _CONTRADICTION, departed & F.col(c.DEPARTURE_DELAY).isNull(),
        "dep_time is ", _shown(F.col("dep_time")), ", but dep_delay is missing.",
    )  # fmt: skip
    rows = with_rule(
        rows, _CONTRADICTION, arrived & ~departed,
        "arr_time is ", _shown(F.col("arr_time")), ", but dep_time is missing.",
    )  # fmt: skip
    rows = with_rule(
        rows, _CONTRADICTION, F.col(c.AIR_TIME).isNotNull() & F.col(c.ARRIVAL_DELAY).isNull(),
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
