"""Small silver tables for tests."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa

from features.arrays.arrow import (
    FLIGHT_COLUMNS,
    FLIGHT_INSTANTS,
    FLIGHT_INTEGERS,
    WEATHER_COLUMNS,
    WEATHER_FLOATS,
)
from features.declare import columns as c
from features.online.lookup import Flight
from tests.features.oracle import minute

DAY_ZERO = dt.datetime(2013, 3, 1, tzinfo=dt.UTC)
INSTANT = pa.timestamp("us", tz="UTC")


def at(minute: int) -> dt.datetime:
    """Return the instant so many minutes after the first minute of `DAY_ZERO`."""
    return DAY_ZERO + dt.timedelta(minutes=minute)


def flight(
    departs: int, *, delay: int | None = 0, late: int | None = 0, **over: Any
) -> dict[str, Any]:
    """Return a silver flight; `delay` and `late` None: cancelled; only `late` None: diverted."""
    departure, arrival = at(departs), at(departs + over.pop("duration", 120))
    row: dict[str, Any] = {
        c.CARRIER: "AA",
        c.FLIGHT_NUMBER: 1,
        c.TAIL_NUMBER: "N1",
        c.ORIGIN: "JFK",
        c.DESTINATION: "LAX",
        c.DISTANCE: 2475,
        c.SCHEDULED_DEPARTURE: departure,
        c.SCHEDULED_ARRIVAL: arrival,
        c.ORIGIN_OFFSET: -300,
        c.DESTINATION_OFFSET: -480,
        c.DEPARTURE_DELAY: delay,
        c.ARRIVAL_DELAY: late if delay is not None else None,
        c.AIR_TIME: 100 if delay is not None and late is not None else None,
        **over,
    }
    row[c.DEPARTURE_KNOWN] = None if delay is None else departure + dt.timedelta(minutes=delay)
    missing = row[c.ARRIVAL_DELAY] is None
    row[c.ARRIVAL_KNOWN] = None if missing else arrival + dt.timedelta(minutes=late or 0)
    row[c.CANCELLATION_KNOWN] = departure + dt.timedelta(minutes=180) if delay is None else None
    row[c.FLIGHT_ID] = f"{row[c.CARRIER]}-{row[c.FLIGHT_NUMBER]}-{departure:%Y%m%d%H}"
    row[c.FLIGHT_DATE] = (departure - dt.timedelta(minutes=300)).date()
    return row


def observation(known: int, airport: str = "JFK", **over: float | None) -> dict[str, Any]:
    """Return a silver weather row that becomes known at a minute."""
    values: dict[str, float | None] = dict.fromkeys(WEATHER_FLOATS, 1.0)
    return {c.AIRPORT: airport, c.KNOWN: at(known), **values, **over}


def flights_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return silver flights as the Arrow table that the kernel reads."""
    types = dict.fromkeys(FLIGHT_COLUMNS, pa.string())
    types |= dict.fromkeys(FLIGHT_INSTANTS, INSTANT) | dict.fromkeys(FLIGHT_INTEGERS, pa.int32())
    types[c.FLIGHT_DATE] = pa.date32()
    return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))


def weather_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return silver weather as the Arrow table that the kernel reads."""
    types = dict.fromkeys(WEATHER_COLUMNS, pa.float64())
    types |= {c.AIRPORT: pa.string(), c.KNOWN: INSTANT}
    return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))


def as_flight(row: dict[str, Any]) -> Flight:
    """Return the flight of a silver row as a look-up takes it."""
    return Flight(
        carrier=row[c.CARRIER],
        flight_number=row[c.FLIGHT_NUMBER],
        origin=row[c.ORIGIN],
        destination=row[c.DESTINATION],
        scheduled_departure_at=minute(row[c.SCHEDULED_DEPARTURE]),
        scheduled_arrival_at=minute(row[c.SCHEDULED_ARRIVAL]),
        origin_utc_offset_min=row[c.ORIGIN_OFFSET],
        destination_utc_offset_min=row[c.DESTINATION_OFFSET],
        distance_mi=row[c.DISTANCE],
        tail_number=row[c.TAIL_NUMBER],
    )


def random_days(days: int = 70) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return ten flights a day, some cancelled, diverted or without an aircraft, and weather."""
    pick = random.Random(7)
    rows = []
    for number in range(days * 10):
        departs = number // 10 * 1440 + pick.randrange(1440)
        delay = pick.choice([None, -5, 0, 10, 45, 400])
        late = None if delay is None else pick.choice([None, delay - 10, delay + 20])
        keys = {
            c.CARRIER: pick.choice(["AA", "B6"]),
            c.FLIGHT_NUMBER: number % 40,
            c.TAIL_NUMBER: pick.choice([None, "N1", "N2", "N3"]),
            c.ORIGIN: pick.choice(["JFK", "EWR"]),
        }
        rows.append(flight(departs, delay=delay, late=late, **keys))
    return rows, [observation(hour * 60) for hour in range(days * 24)]
