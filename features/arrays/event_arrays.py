"""Silver rows as numpy arrays: which rows are events, when each is known, and its measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.declare import columns as c
from features.declare.declarations import (
    LOCAL_HOUR,
    MINUTES_PER_DAY,
    Entity,
)
from features.declare.streams import (
    COUNT,
    MAX_EVENT_LAG_MIN,
    OVERDUE_FOR_MIN,
    Measure,
    Stream,
    measure_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

NULL: Final = np.iinfo(np.int64).min
"""Marks a missing integer or instant."""


@dataclass(frozen=True)
class Events:
    """The rows of a silver table as arrays of equal length.

    Attributes:
        integers: Integers and instants (minutes since the epoch), `NULL` where missing.
        codes: Small non-negative integers for text columns, -1 where missing; the same text has
            the same code in both tables of a block, and codes sort as the texts do.
        floats: Measurements, NaN where missing.
    """

    integers: Mapping[str, Ints]
    codes: Mapping[str, Ints]
    floats: Mapping[str, Floats]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.integers.values())))


def taken(events: Events, rows: NDArray[np.intp]) -> Events:
    """Return the given rows, in the given order."""
    return Events(
        integers={name: values[rows] for name, values in events.integers.items()},
        codes={name: values[rows] for name, values in events.codes.items()},
        floats={name: values[rows] for name, values in events.floats.items()},
    )


def with_local_hour(flights: Events) -> Events:
    """Return the flights with the local hour of their scheduled departure as one more code."""
    local = flights.integers[c.SCHEDULED_DEPARTURE] + flights.integers[c.ORIGIN_OFFSET]
    hour = local % MINUTES_PER_DAY // 60
    return Events(flights.integers, {**flights.codes, LOCAL_HOUR: hour}, flights.floats)


def entity_codes(flights: Events, entity: Entity) -> Ints:
    """Return one code per flight for an entity key, -1 where a part of the key is missing."""
    combined = np.zeros(len(flights), dtype=np.int64)
    missing = np.zeros(len(flights), dtype=np.bool_)
    for part in entity:
        codes = flights.codes[part]
        combined = combined * (int(codes.max(initial=0)) + 1) + codes
        missing |= codes < 0
    return np.where(missing, -1, combined)


def event_minutes(stream: Stream, table: Events, *, horizon_min: int) -> Ints:
    """Return the minute at which each row counts as an event, `NULL` where it is not an event.

    What happens to a flight counts from the flight's own prediction time at the earliest, so that a
    flight never sees its own events, even if it leaves early. See docs/adr/0009.
    """
    at = table.integers[stream.at]
    if stream.until:
        return np.where(end_minutes(stream, table) == NULL, NULL, at)
    if stream.table == "weather" or stream.published:
        return at
    scheduled = table.integers[c.SCHEDULED_DEPARTURE]
    none = (at == NULL) | (at - scheduled > MAX_EVENT_LAG_MIN)
    return np.where(none, NULL, np.maximum(at, scheduled - horizon_min))


def end_minutes(stream: Stream, table: Events) -> Ints:
    """Return the minute at which each row's interval ends, `NULL` where there is no interval.

    An interval ends at the first of the stream's `until` instants, at the latest
    `OVERDUE_FOR_MIN` minutes after its start.
    """
    start = table.integers[stream.at]
    end = start + OVERDUE_FOR_MIN
    for column in stream.until:
        instant = table.integers[column]
        end = np.where(instant == NULL, end, np.minimum(end, instant))
    return np.where(end > start, end, NULL)


def measured(measure: Measure, table: Events) -> Ints:
    """Return an integer measure of every row, `NULL` where it is missing."""
    values = table.integers[measure.column]
    if measure.late_from is not None:
        return np.where(values == NULL, NULL, (values >= measure.late_from).astype(np.int64))
    if measure.minus is not None:
        other = table.integers[measure.minus]
        return np.where((values == NULL) | (other == NULL), NULL, values - other)
    return values


def summed(stream: Stream, name: str, table: Events) -> Ints:
    """Return each row's contribution to the total of a measure: 0 if missing, 1 for `count`."""
    if name == COUNT:
        return np.ones(len(table), dtype=np.int64)
    values = measured(measure_of(stream, name), table)
    return np.where(values == NULL, 0, values)


def measured_floats(measure: Measure, table: Events) -> Floats:
    """Return a measure of every row as floats, NaN where it is missing."""
    if measure.column in table.floats:
        return table.floats[measure.column]
    return to_floats(measured(measure, table))


def to_floats(values: Ints) -> Floats:
    """Return integers as floats, with NaN for `NULL`."""
    return np.where(values == NULL, np.nan, values.astype(np.float64))
