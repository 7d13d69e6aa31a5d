"""Conversion of silver rows between Arrow tables and the kernel's arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.event_arrays import NULL, Events, Floats, Ints
from features.declare import columns as c
from features.declare.streams import WEATHER

MICROSECONDS_PER_MINUTE: Final = 60_000_000

FLIGHT_INSTANTS: Final = (
    c.SCHEDULED_DEPARTURE,
    c.SCHEDULED_ARRIVAL,
    c.DEPARTURE_KNOWN,
    c.ARRIVAL_KNOWN,
    c.CANCELLATION_KNOWN,
)
FLIGHT_INTEGERS: Final = (
    c.FLIGHT_NUMBER,
    c.ORIGIN_OFFSET,
    c.DESTINATION_OFFSET,
    c.DEPARTURE_DELAY,
    c.ARRIVAL_DELAY,
    c.AIR_TIME,
    c.DISTANCE,
)
FLIGHT_TEXTS: Final = (c.CARRIER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER)
FLIGHT_COLUMNS: Final = (c.FLIGHT_ID, *FLIGHT_INSTANTS, *FLIGHT_INTEGERS, *FLIGHT_TEXTS)
"""Columns of silver_flights that the kernel reads."""

WEATHER_FLOATS: Final = tuple(measure.column for measure in WEATHER.measures)
WEATHER_COLUMNS: Final = (c.AIRPORT, c.KNOWN, *WEATHER_FLOATS)
"""Columns of silver_weather that the kernel reads."""


def to_events(flights: pa.Table, weather: pa.Table) -> tuple[Events, Events]:
    """Return both tables of a block as arrays, with the same airport codes in both."""
    airports = _vocabulary(flights[c.ORIGIN], weather[c.AIRPORT])
    codes = {
        name: _codes(flights[name], airports if name == c.ORIGIN else _vocabulary(flights[name]))
        for name in FLIGHT_TEXTS
    }
    integers = {name: to_minutes(flights[name]) for name in FLIGHT_INSTANTS}
    integers |= {name: to_integers(flights[name]) for name in FLIGHT_INTEGERS}
    codes[c.FLIGHT_NUMBER] = integers[c.FLIGHT_NUMBER]
    observed = Events(
        integers={c.KNOWN: to_minutes(weather[c.KNOWN])},
        codes={c.AIRPORT: _codes(weather[c.AIRPORT], airports)},
        floats={name: _floats(weather[name]) for name in WEATHER_FLOATS},
    )
    return Events(integers, codes, {}), observed


def with_nulls(values: Floats) -> pa.Array:
    """Return floats as an Arrow array with null, not NaN, where missing."""
    return pa.array(values, mask=np.isnan(values))


def _vocabulary(*texts: pa.ChunkedArray) -> pa.Array:
    """Return the distinct texts, sorted, so that codes sort as texts do in every block."""
    distinct = [text.unique().drop_null() for text in texts]
    unique = pa.concat_arrays(distinct).unique()
    return unique.take(pc.sort_indices(unique))


def _codes(texts: pa.ChunkedArray, vocabulary: pa.Array) -> Ints:
    codes = pc.index_in(texts, value_set=vocabulary)
    found: Ints = pc.fill_null(codes, -1).to_numpy().astype(np.int64)
    return found


def to_minutes(instants: pa.ChunkedArray) -> Ints:
    """Return instants as whole minutes since the epoch, `NULL` where missing."""
    microseconds = instants.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    values = to_integers(microseconds)
    return np.where(values == NULL, NULL, values // MICROSECONDS_PER_MINUTE)


def to_instants(minutes: Ints) -> pa.Array:
    """Return minutes since the epoch as instants: the inverse of `to_minutes`."""
    missing = minutes == NULL
    values = np.where(missing, 0, minutes) * MICROSECONDS_PER_MINUTE
    microseconds = pa.array(values, mask=missing)
    return microseconds.cast(pa.timestamp("us", tz="UTC"))


def to_integers(numbers: pa.ChunkedArray) -> Ints:
    """Return integers as an array, `NULL` where missing."""
    values: Ints = pc.fill_null(numbers.cast(pa.int64()), NULL).to_numpy()
    return values


def _floats(numbers: pa.ChunkedArray) -> Floats:
    values: Floats = pc.fill_null(numbers.cast(pa.float64()), np.nan).to_numpy()
    return values
