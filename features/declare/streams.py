"""The event streams that features read, each with its known-at rule.

A stream selects events from a silver table: one event, to the minute, for each row that has the
stream's instant. Measures that are summed are integers: a total is exact in every order of arrival,
and the difference of two running totals equals the total of the window, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from features.declare import columns as c
from features.declare.declarations import (
    MINUTES_PER_DAY,
    Feature,
    Own,
)

COUNT: Final = "count"

CANCELLATION_KNOWN_AFTER_MIN: Final = 180
"""A cancellation is taken as known this long after the scheduled departure."""

DIVERSION_KNOWN_AFTER_MIN: Final = 180
"""A diversion is taken as known this long after the scheduled arrival."""

WEATHER_KNOWN_AFTER_MIN: Final = 60
"""An hourly weather observation is taken as known this long after its hour starts: at its end."""

PUBLISHED_AHEAD_MIN: Final = 7 * MINUTES_PER_DAY
"""The schedule is taken as published this long before the scheduled departure."""

MAX_EVENT_LAG_MIN: Final = 2 * MINUTES_PER_DAY
"""An event that becomes known later than this after its flight's scheduled departure is not used.
This bounds every look-back window."""

OVERDUE_FOR_MIN: Final = 720
"""A flight that has not left counts as overdue for at most this long."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that an event carries.

    Attributes:
        name: Name in the stream.
        column: Its silver column (instants are in minutes since the epoch).
        late_from: When set, the measure is 1 where the column is at least this, else 0.
        minus: When set, this column is subtracted.
        known_at: When set, the column of its known-at time; the measure is null before that.
    """

    name: str
    column: str
    late_from: int | None = None
    minus: str | None = None
    known_at: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of events.

    Attributes:
        name: Name of the stream.
        table: `flights` or `weather`.
        at: Column of the instant at which an event counts; a row without it is not an event.
        measures: The measures of an event; every stream also has `count`.
        published: True when events are known long before `at` (the schedule).
        until: For a stream of intervals: the earliest of these columns ends the interval.
    """

    name: str
    table: str
    at: str
    measures: tuple[Measure, ...] = ()
    published: bool = False
    until: tuple[str, ...] = ()


LATE_FROM_MIN: Final = 15
"""A flight this many minutes late is late: the definition of the US statistics bureau."""

DEPARTURES: Final = Stream(
    "departures",
    "flights",
    c.DEPARTURE_KNOWN,
    (
        Measure("delay_min", c.DEPARTURE_DELAY),
        Measure("late", c.DEPARTURE_DELAY, late_from=LATE_FROM_MIN),
        Measure("known_at", c.DEPARTURE_KNOWN),
    ),
)
ARRIVALS: Final = Stream(
    "arrivals",
    "flights",
    c.ARRIVAL_KNOWN,
    (
        Measure("delay_min", c.ARRIVAL_DELAY),
        Measure("late", c.ARRIVAL_DELAY, late_from=LATE_FROM_MIN),
        Measure("lost_min", c.ARRIVAL_DELAY, minus=c.DEPARTURE_DELAY),
        Measure("air_time_min", c.AIR_TIME),
        Measure("known_at", c.ARRIVAL_KNOWN),
    ),
)
CANCELLATIONS: Final = Stream("cancellations", "flights", c.CANCELLATION_KNOWN)
SCHEDULE: Final = Stream(
    "schedule",
    "flights",
    c.SCHEDULED_DEPARTURE,
    (
        Measure("departure_at", c.SCHEDULED_DEPARTURE),
        Measure("arrival_at", c.SCHEDULED_ARRIVAL),
        Measure("departed_at", c.DEPARTURE_KNOWN, known_at=c.DEPARTURE_KNOWN),
    ),
    published=True,
)
OVERDUE: Final = Stream(
    "overdue",
    "flights",
    c.SCHEDULED_DEPARTURE,
    (Measure("scheduled_at", c.SCHEDULED_DEPARTURE),),
    until=(c.DEPARTURE_KNOWN, c.CANCELLATION_KNOWN),
)
WEATHER: Final = Stream(
    "weather",
    "weather",
    c.KNOWN,
    tuple(
        Measure(name, name)
        for name in (
            c.TEMPERATURE,
            c.HUMIDITY,
            c.WIND_DIRECTION,
            c.WIND_SPEED,
            c.WIND_GUST,
            c.PRECIPITATION,
            c.PRESSURE,
            c.VISIBILITY,
        )
    ),
)

STREAMS: Final = {
    stream.name: stream
    for stream in (DEPARTURES, ARRIVALS, CANCELLATIONS, SCHEDULE, OVERDUE, WEATHER)
}


def measure_of(stream: Stream, name: str) -> Measure:
    """Return a measure of a stream by name.

    Raises:
        KeyError: The stream has no such measure; the message lists its measures.
    """
    for measure in stream.measures:
        if measure.name == name:
            return measure
    names = ", ".join([COUNT, *(measure.name for measure in stream.measures)])
    raise KeyError(f"stream '{stream.name}' has no measure '{name}': it has {names}")


def is_instant(measure: Measure) -> bool:
    """Return whether a measure is an instant: its column's value itself, in minutes."""
    plain = measure.late_from is None and measure.minus is None
    return plain and measure.column.endswith("_at")


def known_when(feature: Feature) -> str:
    """Return a feature's known-at rule as text."""
    sources: dict[str, None] = {}
    for item in feature.inputs:
        if isinstance(item, Own):
            continue
        stream = STREAMS[item.stream]
        if not stream.published:
            sources[stream.name] = None
        elif item.measure != COUNT and measure_of(stream, item.measure).known_at:
            sources[item.measure] = None
    if not sources:
        return "published schedule"
    return f"{' and '.join(sources)} known before the prediction time"
