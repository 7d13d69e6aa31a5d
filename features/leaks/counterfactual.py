"""Counterfactual data: equal to the original in all that is known before an instant, not after it.

When each column counts as known:

- A flight's schedule (airports, times, carrier, number, tail number, distance) is published
  `PUBLISHED_AHEAD_MIN` before its scheduled departure. The tail number is an assumption: the
  source gives the one that flew (see `features.catalog.tail`).
- A departure, an arrival, a cancellation and a diversion are known at their own known-at instants,
  and so are the delays, the air time and the status derived from them. A flight that left before
  the instant has the same departure; its arrival may change unless it was known before the instant.
- A weather observation is known at its known-at instant.

Everything known at the instant or later is changed, deleted or invented, much of it exactly at the
instant; rows are shuffled and lose their lineage columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import to_instants, to_integers, to_minutes
from features.arrays.event_arrays import NULL, Ints
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.declare.streams import PUBLISHED_AHEAD_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.arrays.search import Bools

_SOON_WITHIN_MIN: Final = 720
_CATCH_UP_MIN: Final = 180

# Shares of the rows, and a first flight number above those that carriers use.
_KEPT: Final = 0.6
_INVENTED: Final = 0.4
_CANCELLED: Final = 0.2
_DIVERTED: Final = 0.15
_AT_THE_INSTANT: Final = 0.3
_MISSING: Final = 0.1
_FIRST_NUMBER: Final = 100_000


@dataclass(frozen=True)
class Dataset:
    """Silver flights and silver weather as Arrow tables, with or without lineage columns."""

    flights: pa.Table
    weather: pa.Table


def counterfactual(data: Dataset, instant: int, rng: np.random.Generator) -> Dataset:
    """Return a data set that equals the original before the instant and differs after it.

    Args:
        data: The original data.
        instant: Minutes since the epoch.
        rng: The random generator.
    """
    flights = _with_other_schedule(data.flights, instant, rng)
    flights = _with_other_departures(flights, instant, rng)
    flights = _with_other_arrivals(flights, instant, rng)
    weather = _with_other_weather(data.weather, instant, rng)
    return Dataset(_shuffled(flights, rng), _shuffled(weather, rng))


def _with_other_schedule(flights: pa.Table, instant: int, rng: np.random.Generator) -> pa.Table:
    """Replace the flights that are not yet published by fewer, moved ones and by invented ones."""
    scheduled = to_minutes(flights[c.SCHEDULED_DEPARTURE])
    published = scheduled < instant + PUBLISHED_AHEAD_MIN
    later = np.flatnonzero(~published)
    moved = later[rng.random(len(later)) < _KEPT]
    invented = later[rng.random(len(later)) < _INVENTED]
    rows = flights.take(pa.array(np.concatenate((moved, invented))))
    return pa.concat_tables([flights.filter(pa.array(published)), _rescheduled(rows, rng)])


def _rescheduled(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return flights moved to other minutes, carriers and aircraft, with numbers of their own."""
    other = rows.take(pa.array(rng.permutation(len(rows))))
    shift = rng.integers(1, 600, len(rows))
    numbers = _FIRST_NUMBER + np.arange(len(rows))
    departure = to_minutes(rows[c.SCHEDULED_DEPARTURE]) + shift
    local_day = (departure + to_integers(rows[c.ORIGIN_OFFSET])) // MINUTES_PER_DAY
    hours = pc.strftime(to_instants(departure), format="%Y%m%d%H")
    carriers = other[c.CARRIER].cast(pa.string())
    names = (carriers, pa.array(numbers).cast(pa.string()), hours, "-")
    return _set(
        rows,
        {
            c.FLIGHT_ID: pc.binary_join_element_wise(*names),
            c.FLIGHT_DATE: pa.array(local_day.astype(np.int32)).cast(pa.date32()),
            c.CARRIER: carriers,
            c.FLIGHT_NUMBER: pa.array(numbers),
            c.TAIL_NUMBER: other[c.TAIL_NUMBER],
            c.SCHEDULED_DEPARTURE: to_instants(departure),
            c.SCHEDULED_ARRIVAL: to_instants(to_minutes(rows[c.SCHEDULED_ARRIVAL]) + shift),
        },
    )


def _with_other_departures(flights: pa.Table, instant: int, rng: np.random.Generator) -> pa.Table:
    """Redraw the departure of each flight that is not known to have left or ended."""
    scheduled, count = to_minutes(flights[c.SCHEDULED_DEPARTURE]), len(flights)
    leaves = rng.random(count) >= _CANCELLED
    departure = _not_before(instant, scheduled + rng.integers(-60, 600, count), rng)
    departure = np.where(leaves, departure, NULL)
    cancellation = _not_before(instant, scheduled + rng.integers(-600, 200, count), rng)
    delay = np.where(leaves, departure - scheduled, NULL)
    waiting = _is_open(flights, instant) & ~_known(flights, c.DEPARTURE_KNOWN, instant)
    outcome = {
        c.DEPARTED: to_instants(departure),
        c.DEPARTURE_KNOWN: to_instants(departure),
        c.DEPARTURE_DELAY: _nullable(delay),
        c.CANCELLATION_KNOWN: to_instants(np.where(leaves, NULL, cancellation)),
    }
    return _replaced(flights, outcome, waiting)


def _with_other_arrivals(flights: pa.Table, instant: int, rng: np.random.Generator) -> pa.Table:
    """Redraw the arrival of each flight that is not known to have ended."""
    scheduled, departure = (
        to_minutes(flights[n]) for n in (c.SCHEDULED_DEPARTURE, c.DEPARTURE_KNOWN)
    )
    due, count = to_minutes(flights[c.SCHEDULED_ARRIVAL]), len(flights)
    left = departure != NULL
    diverted = left & (rng.random(count) < _DIVERTED)
    arrives = left & ~diverted
    flown = departure + due - scheduled + rng.integers(-30, 400, count)
    arrival = np.maximum(_not_before(instant, flown, rng), departure + 20)
    air_time = np.maximum(arrival - departure - rng.integers(15, 45, count), 10)
    diversion = np.maximum(_not_before(instant, due + 180, rng), departure)
    arrival = np.where(arrives, arrival, NULL)
    statuses = np.array([c.CANCELLED_STATUS, c.ARRIVED_STATUS, c.DIVERTED_STATUS])
    outcome = {
        c.ARRIVED: to_instants(arrival),
        c.ARRIVAL_KNOWN: to_instants(arrival),
        c.ARRIVAL_DELAY: _nullable(np.where(arrives, arrival - due, NULL)),
        c.AIR_TIME: _nullable(np.where(arrives, air_time, NULL)),
        c.DIVERSION_KNOWN: to_instants(np.where(diverted, diversion, NULL)),
        c.STATUS: pa.array(statuses[arrives + 2 * diverted]),
    }
    return _replaced(flights, outcome, _is_open(flights, instant))


def _with_other_weather(weather: pa.Table, instant: int, rng: np.random.Generator) -> pa.Table:
    """Replace later observations by fewer, changed ones, and invent others between them."""
    known = to_minutes(weather[c.KNOWN])
    later = np.flatnonzero(known > instant)
    kept = later[rng.random(len(later)) < _KEPT]
    copied = later[rng.random(len(later)) < _INVENTED]
    _, one_per_airport = np.unique(weather[c.AIRPORT].to_numpy(), return_index=True)
    minutes = (known[kept], known[copied] + 1, np.full(len(one_per_airport), instant))
    rows = weather.take(pa.array(np.concatenate((kept, copied, one_per_airport))))
    drawn = {c.KNOWN: np.concatenate(minutes)}
    drawn[c.OBSERVED] = drawn[c.KNOWN] - 60
    columns = {name: to_instants(values) for name, values in drawn.items()}
    columns |= {
        name: _noisy(rows[name], rng) for name in rows.column_names if _is_float(rows[name])
    }
    return pa.concat_tables([weather.filter(pa.array(known < instant)), _set(rows, columns)])


def _noisy(values: pa.ChunkedArray, rng: np.random.Generator) -> pa.Array:
    missing = rng.random(len(values)) < _MISSING
    return pa.array(rng.uniform(-50, 50, len(values)), mask=missing)


def _is_float(values: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_floating(values.type))


def _known(flights: pa.Table, column: str, instant: int) -> Bools:
    minutes = to_minutes(flights[column])
    known: Bools = (minutes != NULL) & (minutes < instant)
    return known


def _is_open(flights: pa.Table, instant: int) -> Bools:
    """Return which flights are not known to have arrived, been cancelled or been diverted."""
    ends = (c.ARRIVAL_KNOWN, c.CANCELLATION_KNOWN, c.DIVERSION_KNOWN)
    ended: Bools = np.logical_or.reduce([_known(flights, column, instant) for column in ends])
    return ~ended


def _not_before(instant: int, minutes: Ints, rng: np.random.Generator) -> Ints:
    """Return the minutes, moved so that none is before the instant and many are exactly at it."""
    soon = minutes < instant + _SOON_WITHIN_MIN
    at_instant = soon & (rng.random(len(minutes)) < _AT_THE_INSTANT)
    later = instant + rng.integers(0, _CATCH_UP_MIN, len(minutes))
    return np.where(at_instant, instant, np.where(minutes < instant, later, minutes))


def _nullable(values: Ints) -> pa.Array:
    return pa.array(values, mask=values == NULL)


def _replaced(table: pa.Table, columns: Mapping[str, pa.Array], where: Bools) -> pa.Table:
    """Return the table with new values in the rows where the condition holds."""
    condition = pa.array(where)
    mixed = {
        name: pc.if_else(condition, values.cast(table[name].type), table[name])
        for name, values in columns.items()
    }
    return _set(table, mixed)


def _set(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    """Return the table with whole columns replaced, cast to their types."""
    found = {name: columns.get(name, table[name]) for name in table.column_names}
    return pa.table(found).cast(table.schema)


def _shuffled(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return the rows shuffled, without lineage columns."""
    kept = [name for name in table.column_names if name not in c.LINEAGE]
    return table.select(kept).take(pa.array(rng.permutation(len(table))))
