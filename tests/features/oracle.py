"""A reference implementation of the inputs: one flight at a time, by a scan of every row.

It is slow and simple on purpose, and shares only the declarations with the kernel.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from features.declare import columns as c
from features.declare.declarations import (
    LOCAL_HOUR,
    Days,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
    UntilDeparture,
    Window,
)
from features.declare.streams import COUNT, STREAMS, Measure, Stream

Row = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def minute(instant: dt.datetime) -> int:
    return int((instant - EPOCH).total_seconds()) // 60


def resolved(item: Input, own: Row, flights: list[Row], weather: list[Row], horizon: int) -> Any:
    """Return the value of an input for a flight; None where missing."""
    departure = minute(own[c.SCHEDULED_DEPARTURE])
    prediction = departure - horizon
    if isinstance(item, Own):
        if item.column == c.PREDICTION_TIME:
            return prediction
        value = own[item.column]
        return minute(value) if isinstance(value, dt.datetime) else value
    stream = STREAMS[item.stream]
    rows = flights if stream.table == "flights" else weather
    mine = [row for row in rows if _key(item.entity, own) == _key(item.entity, row)]
    if None in _key(item.entity, own):
        mine = []
    events = [row for row in mine if _is_event(stream, row)]
    if isinstance(item, Sum):
        first, last = _edges(item.window, prediction, departure)
        inside = [row for row in events if first <= _counts_from(stream, row, horizon) < last]
        return sum(_value(stream, item.measure, row) or 0 for row in inside)
    if isinstance(item, OpenIntervals):
        is_open = [r for r in events if minute(r[stream.at]) < prediction <= _end(stream, r)]
        return sum(_value(stream, item.measure, row) or 0 for row in is_open)
    return _latest(item, stream, events, prediction, departure)


def _counts_from(stream: Stream, row: Row, horizon: int) -> int:
    """Return the minute from which an event counts: the flight's prediction time or later."""
    at = minute(row[stream.at])
    if stream.published or stream.until or stream.table == "weather":
        return at
    return max(at, minute(row[c.SCHEDULED_DEPARTURE]) - horizon)


def _latest(
    item: Latest, stream: Stream, events: list[Row], prediction: int, departure: int
) -> Any:
    horizon = departure - prediction
    anchor = (prediction if item.anchor == "prediction" else departure) - item.ago_min
    at = [(_counts_from(stream, row, horizon), _tie(row), row) for row in events]
    inside = [each for each in at if anchor - item.within_min <= each[0] < anchor]
    if not inside:
        return None
    last = max(inside, key=lambda each: each[:2])[2]
    measure = next(m for m in stream.measures if m.name == item.measure)
    if measure.known_at is not None:
        known = last[measure.known_at]
        if known is None or minute(known) >= prediction:
            return None
    return _value(stream, item.measure, last)


def _tie(row: Row) -> tuple[Any, ...]:
    if c.SCHEDULED_DEPARTURE not in row:
        return ()
    return (row[c.SCHEDULED_DEPARTURE], row[c.FLIGHT_NUMBER], row[c.CARRIER])


def _key(entity: tuple[str, ...], row: Row) -> tuple[Any, ...]:
    if c.AIRPORT in row:
        return (row[c.AIRPORT],)
    return tuple(_local_hour(row) if part == LOCAL_HOUR else row[part] for part in entity)


def _local_hour(row: Row) -> int:
    local: dt.datetime = row[c.SCHEDULED_DEPARTURE] + dt.timedelta(minutes=row[c.ORIGIN_OFFSET])
    return local.hour


def _is_event(stream: Stream, row: Row) -> bool:
    if row[stream.at] is None:
        return False
    if stream.until:
        return _end(stream, row) > minute(row[stream.at])
    if stream.published or stream.table == "weather":
        return True
    return bool(row[stream.at] - row[c.SCHEDULED_DEPARTURE] <= dt.timedelta(days=2))


def _end(stream: Stream, row: Row) -> int:
    ends = [minute(row[column]) for column in stream.until if row[column] is not None]
    return min([*ends, minute(row[stream.at]) + 720])


def _edges(window: Window, prediction: int, departure: int) -> tuple[int, int]:
    if isinstance(window, Minutes):
        anchor = prediction if window.anchor == "prediction" else departure
        return anchor - window.before, anchor + window.after
    if isinstance(window, UntilDeparture):
        return prediction, departure
    assert isinstance(window, Days)
    midnight = prediction // 1440 * 1440
    return midnight - window.count * 1440, midnight


def _value(stream: Stream, name: str, row: Row) -> Any:
    if name == COUNT:
        return 1
    measure: Measure = next(m for m in stream.measures if m.name == name)
    value = row[measure.column]
    if value is None:
        return None
    if measure.late_from is not None:
        return int(value >= measure.late_from)
    if measure.minus is not None:
        other = row[measure.minus]
        return None if other is None else value - other
    return minute(value) if isinstance(value, dt.datetime) else value
