"""Converts silver rows back to source rows: files for days that are not ingested yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.real_year import WEATHER_NAMES
from features.declare import columns as c
from features.silver.raw import FLIGHTS, RAW_COLUMNS, WEATHER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ZONE: Final = "America/New_York"


def raw_flights(silver: pl.DataFrame) -> pl.DataFrame:
    """Return flights as a source file has them: local clocks, and text."""
    departure = _local(c.SCHEDULED_DEPARTURE, c.ORIGIN_OFFSET)
    arrival = _local(c.SCHEDULED_ARRIVAL, c.DESTINATION_OFFSET)
    departed = departure + pl.duration(minutes=pl.col(c.DEPARTURE_DELAY))
    arrived = arrival + pl.duration(minutes=pl.col(c.ARRIVAL_DELAY))
    return silver.select(
        *_date_and_hour(departure),
        minute=departure.dt.minute(),
        dep_time=_clock(departed),
        sched_dep_time=_clock(departure),
        dep_delay=c.DEPARTURE_DELAY,
        arr_time=_clock(arrived),
        sched_arr_time=_clock(arrival),
        arr_delay=c.ARRIVAL_DELAY,
        carrier=c.CARRIER,
        flight=c.FLIGHT_NUMBER,
        tailnum=c.TAIL_NUMBER,
        origin=c.ORIGIN,
        dest=c.DESTINATION,
        air_time=c.AIR_TIME,
        distance=c.DISTANCE,
        time_hour=_hour(c.SCHEDULED_DEPARTURE),
    ).select(pl.col(RAW_COLUMNS[FLIGHTS]).cast(pl.String))


def raw_weather(silver: pl.DataFrame) -> pl.DataFrame:
    """Return weather as a source file has it: local hours, and text."""
    local = pl.col(c.OBSERVED).dt.convert_time_zone(ZONE).dt.replace_time_zone(None)
    return silver.select(
        *_date_and_hour(local),
        pl.col(c.AIRPORT).alias("origin"),
        *(pl.col(name).alias(raw) for raw, name in WEATHER_NAMES.items()),
        time_hour=_hour(c.OBSERVED),
    ).select(pl.col(RAW_COLUMNS[WEATHER]).cast(pl.String))


RAW: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    FLIGHTS: raw_flights,
    WEATHER: raw_weather,
}


def _local(instant: str, offset_min: str) -> pl.Expr:
    wall = pl.col(instant).dt.replace_time_zone(None)
    return wall + pl.duration(minutes=pl.col(offset_min))


def _date_and_hour(local: pl.Expr) -> tuple[pl.Expr, ...]:
    parts = {
        "year": local.dt.year(),
        "month": local.dt.month(),
        "day": local.dt.day(),
        "hour": local.dt.hour(),
    }
    return tuple(value.alias(name) for name, value in parts.items())


def _clock(local: pl.Expr) -> pl.Expr:
    """Return a clock time as the files write it: 517 for 5:17."""
    return local.dt.hour().cast(pl.Int32) * 100 + local.dt.minute()


def _hour(instant: str) -> pl.Expr:
    return pl.col(instant).dt.strftime("%Y-%m-%dT%H:00:00Z")
