"""Resolves the events about a flight or an observation to a silver row, and back to events.

Of each kind of event the latest report counts (`flight_events.report_order`), so the result depends
neither on the order in which events arrive nor on repeats.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, TypeVar

from features.declare import columns as c
from features.declare.declarations import LOCAL_HOUR, MINUTES_PER_DAY
from features.declare.streams import PUBLISHED_AHEAD_MIN, STREAMS, WEATHER
from features.online.flight_events import (
    MS_PER_MINUTE,
    Arrived,
    Cancelled,
    Departed,
    Diverted,
    Observed,
    Scheduled,
    flight_id,
    report_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from features.declare.streams import Stream
    from features.online.flight_events import Event
    from features.online.row_mapping import Facts


_Kind = TypeVar("_Kind", Scheduled, Departed, Arrived, Cancelled, Diverted, Observed)
_COLUMNS: Final[dict[type, frozenset[str]]] = {
    Departed: frozenset({c.DEPARTED, c.DEPARTURE_KNOWN, c.DEPARTURE_DELAY}),
    Arrived: frozenset({c.ARRIVED, c.ARRIVAL_KNOWN, c.ARRIVAL_DELAY, c.AIR_TIME}),
    Cancelled: frozenset({c.CANCELLATION_KNOWN}),
    Diverted: frozenset({c.DIVERSION_KNOWN}),
}
_SCHEDULE: Final = Scheduled.__struct_fields__[1:]


def resolve_flight(events: list[Event]) -> Facts | None:
    """Return the silver row of a flight from its events; None before its schedule is known."""
    schedule = _newest(events, Scheduled)
    if schedule is None:
        return None
    departed, arrived = _newest(events, Departed), _newest(events, Arrived)
    ended = _newest(events, Cancelled), _newest(events, Diverted)
    return _facts(schedule, departed, arrived, *ended)


def superseded_flights(events: list[Event]) -> Iterator[Facts]:
    """Yield the silver rows that a subset of the events may have given, if a kind was corrected.

    Item rows that were derived from them have to be deleted. Yields nothing if each kind of event
    was reported once.
    """
    if len({type(event) for event in events}) == len(events):
        return
    schedules = [event for event in events if isinstance(event, Scheduled)]
    departed = [None, *(event for event in events if isinstance(event, Departed))]
    arrived = [None, *(event for event in events if isinstance(event, Arrived))]
    cancelled = [None, *(event for event in events if isinstance(event, Cancelled))]
    for schedule, left, landed, ended in product(schedules, departed, arrived, cancelled):
        yield _facts(schedule, left, landed, ended, None)


def resolve_observation(events: list[Event]) -> Facts:
    """Return the silver row of an observation from its events."""
    observed = _newest(events, Observed)
    assert observed is not None  # noqa: S101 - events about an observation are observations
    names = [measure.column for measure in WEATHER.measures]
    measures = dict(zip(names, observed.measures, strict=True))
    return {c.AIRPORT: observed.airport, c.KNOWN: observed.known_at, **measures}


def events_of_flight(facts: Facts) -> list[Event]:
    """Return the events that describe a row of silver flights, ordered by report time.

    The schedule is reported `PUBLISHED_AHEAD_MIN` before the departure, everything else when it
    becomes known.
    """
    published = facts[c.SCHEDULED_DEPARTURE] - PUBLISHED_AHEAD_MIN
    schedule = Scheduled(
        reported_at=published * MS_PER_MINUTE, **{name: facts[name] for name in _SCHEDULE}
    )
    about = flight_id(schedule)
    events: list[Event] = [schedule]

    def report(kind: type, column: str, **more: object) -> None:
        at = facts.get(column)
        if at is not None:
            events.append(kind(reported_at=at * MS_PER_MINUTE, flight_id=about, at=at, **more))

    report(Departed, c.DEPARTURE_KNOWN)
    report(Arrived, c.ARRIVAL_KNOWN, air_time_min=facts[c.AIR_TIME])
    report(Cancelled, c.CANCELLATION_KNOWN)
    report(Diverted, c.DIVERSION_KNOWN)
    return sorted(events, key=lambda event: event.reported_at)


def event_of_observation(facts: Facts) -> Observed:
    """Return the event that describes a row of silver weather."""
    at = facts[c.KNOWN]
    measures = tuple(facts[measure.column] for measure in WEATHER.measures)
    return Observed(
        reported_at=at * MS_PER_MINUTE, airport=facts[c.AIRPORT], known_at=at, measures=measures
    )


def affected_streams(events: Iterable[Event]) -> frozenset[str]:
    """Return the names of the streams that these events can change."""
    kinds = {type(event) for event in events}
    if kinds - _COLUMNS.keys():
        return frozenset(STREAMS)
    changed = frozenset(column for kind in kinds for column in _COLUMNS[kind])
    return frozenset(name for name, stream in STREAMS.items() if _reads(stream) & changed)


def _reads(stream: Stream) -> set[str]:
    columns = {stream.at, *stream.until}
    for measure in stream.measures:
        columns |= {measure.column, measure.minus or "", measure.known_at or ""}
    return columns


def _newest(events: list[Event], kind: type[_Kind]) -> _Kind | None:
    found = [event for event in events if isinstance(event, kind)]
    return max(found, key=report_order, default=None)


def _facts(
    schedule: Scheduled,
    departed: Departed | None,
    arrived: Arrived | None,
    cancelled: Cancelled | None,
    diverted: Diverted | None,
) -> Facts:
    departure, arrival = schedule.scheduled_departure_at, schedule.scheduled_arrival_at
    local = departure + schedule.origin_utc_offset_min
    left = None if departed is None else departed.at
    landed = None if arrived is None else arrived.at
    return {
        **{name: getattr(schedule, name) for name in _SCHEDULE},
        LOCAL_HOUR: local % MINUTES_PER_DAY // 60,
        c.DEPARTED: left,
        c.DEPARTURE_KNOWN: left,
        c.DEPARTURE_DELAY: None if left is None else left - departure,
        c.ARRIVED: landed,
        c.ARRIVAL_KNOWN: landed,
        c.ARRIVAL_DELAY: None if landed is None else landed - arrival,
        c.AIR_TIME: None if arrived is None else arrived.air_time_min,
        c.CANCELLATION_KNOWN: None if cancelled is None else cancelled.at,
        c.DIVERSION_KNOWN: None if diverted is None else diverted.at,
    }
