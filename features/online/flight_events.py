"""What follows from events about a flight or an observation, and back: the columns of silver.

What is told about a flight, or about the weather, one event at a time.

What is known of a subject (a flight, an observation) is the set of the events about it: sets merge
alike in every order and with every repeat. What follows from a set is in
`features.online.flight_events`.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import msgspec

from features.declare import columns as c
from features.declare.declarations import LOCAL_HOUR, MINUTES_PER_DAY
from features.declare.streams import PUBLISHED_AHEAD_MIN, STREAMS, WEATHER
from features.online.items import utc_hour
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from features.declare.streams import Stream
    from features.online.item_rows import Facts

MS_PER_MINUTE: Final = 60_000
MOST_EVENTS: Final = 64
"""The most events about one subject: more than any flight has, corrections included."""


class Reported(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An event.

    Attributes:
        reported_at: When it was reported, in milliseconds since the epoch: a later report of the
            same kind about the same subject corrects an earlier one.
    """

    reported_at: int


class Scheduled(Reported, frozen=True, array_like=True, kw_only=True, tag="s"):
    """The flight is in the timetable so; instants are minutes since the epoch."""

    carrier: str
    flight_number: int
    origin: str
    destination: str
    scheduled_departure_at: int
    scheduled_arrival_at: int
    origin_utc_offset_min: int
    destination_utc_offset_min: int
    distance_mi: int | None
    tail_number: str | None


class _About(Reported, frozen=True, array_like=True, kw_only=True):
    flight_id: str
    at: int


class Departed(_About, frozen=True, array_like=True, kw_only=True, tag="d"):
    """The flight has left at this minute."""


class Arrived(_About, frozen=True, array_like=True, kw_only=True, tag="a"):
    """The flight has arrived at this minute."""

    air_time_min: int | None


class Cancelled(_About, frozen=True, array_like=True, kw_only=True, tag="c"):
    """The flight's cancellation became known at this minute."""


class Diverted(_About, frozen=True, array_like=True, kw_only=True, tag="v"):
    """The flight's diversion became known at this minute."""


class Observed(Reported, frozen=True, array_like=True, kw_only=True, tag="w"):
    """The weather at an airport; its measures in the order of the stream, None: not measured."""

    airport: str
    known_at: int
    measures: tuple[float | None, ...]


Event: TypeAlias = Scheduled | Departed | Arrived | Cancelled | Diverted | Observed

_ENCODER: Final = msgspec.msgpack.Encoder()
_EVENT: Final = msgspec.msgpack.Decoder(Event)
_EVENTS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


class SubjectError(OntimeError):
    """An event cannot be kept."""


def subject_of(event: Event) -> str:
    """Return what an event is about: the key of the item that holds all events about it."""
    match event:
        case Scheduled():
            return f"flight:{flight_id(event)}"
        case Observed():
            return f"weather:{event.airport}@{utc_hour(event.known_at)}:{event.known_at % 60:02}"
        case _:
            return f"flight:{event.flight_id}"


def flight_id(event: Scheduled) -> str:
    """Return carrier, flight number and UTC hour of the scheduled departure."""
    return f"{event.carrier}-{event.flight_number}-{utc_hour(event.scheduled_departure_at)}"


@lru_cache(maxsize=4096)
def _minute_of(hour: str) -> int:
    """Return the first minute of an hour such as `2013123023`."""
    at = dt.datetime(int(hour[:4]), int(hour[4:6]), int(hour[6:8]), int(hour[8:]), tzinfo=dt.UTC)
    return int(at.timestamp()) // 60


def due_at(event: Event) -> int:
    """Return the minute that decides whether an event is too late.

    It is the start of the hour in which its flight was due, which all events about a flight share:
    either all of them are too late, or none.
    """
    match event:
        case Scheduled():
            return event.scheduled_departure_at // 60 * 60
        case Observed():
            return event.known_at
        case _:
            return _minute_of(event.flight_id.rpartition("-")[2])


def known_minute(event: Event) -> int:
    """Return the minute at which what an event says was known; 0 for the timetable: it is ahead."""
    match event:
        case Scheduled():
            return 0
        case Observed():
            return event.known_at
        case _:
            return event.at


def merged(body: bytes | None, events: Iterable[Event]) -> bytes:
    """Return what is known of a subject with more events: the set of both, sorted.

    Raises:
        SubjectError: They are more than can be.
    """
    known = set(map(bytes, _EVENTS.decode(body))) if body is not None else set()
    known |= {_ENCODER.encode(event) for event in events}
    if len(known) > MOST_EVENTS:
        raise SubjectError(
            f"There are more than {MOST_EVENTS} events about one flight or observation: find out "
            "what sends them, and send one event for each change."
        )
    return _ENCODER.encode(list(map(msgspec.Raw, sorted(known))))


def events_of(body: bytes) -> list[Event]:
    """Return the events about a subject."""
    return [_EVENT.decode(raw) for raw in _EVENTS.decode(body)]


def version(event: Event) -> tuple[int, bytes]:
    """Return what sorts reports of a kind about a subject: the last one counts."""
    return event.reported_at, _ENCODER.encode(event)


_Kind = TypeVar("_Kind", Scheduled, Departed, Arrived, Cancelled, Diverted, Observed)

_COLUMNS: Final[dict[type, frozenset[str]]] = {
    Departed: frozenset({c.DEPARTED, c.DEPARTURE_KNOWN, c.DEPARTURE_DELAY}),
    Arrived: frozenset({c.ARRIVED, c.ARRIVAL_KNOWN, c.ARRIVAL_DELAY, c.AIR_TIME}),
    Cancelled: frozenset({c.CANCELLATION_KNOWN}),
    Diverted: frozenset({c.DIVERSION_KNOWN}),
}
_SCHEDULE: Final = Scheduled.__struct_fields__[1:]


def newest_facts(events: list[Event]) -> Facts | None:
    """Return what follows from all events about a flight; None before its schedule is known."""
    schedule = _newest(events, Scheduled)
    if schedule is None:
        return None
    departed, arrived = _newest(events, Departed), _newest(events, Arrived)
    ended = _newest(events, Cancelled), _newest(events, Diverted)
    return _facts(schedule, departed, arrived, *ended)


def past_facts(events: list[Event]) -> Iterator[Facts]:
    """Yield what may have followed from some of the events, where a kind was reported repeatedly.

    Rows that were made of it must go; nothing to do when no kind was.
    """
    if len({type(event) for event in events}) == len(events):
        return
    schedules = [event for event in events if isinstance(event, Scheduled)]
    departed = [None, *(event for event in events if isinstance(event, Departed))]
    arrived = [None, *(event for event in events if isinstance(event, Arrived))]
    cancelled = [None, *(event for event in events if isinstance(event, Cancelled))]
    for schedule, left, landed, gone in product(schedules, departed, arrived, cancelled):
        yield _facts(schedule, left, landed, gone, None)


def streams_of(events: Iterable[Event]) -> frozenset[str]:
    """Return the streams that events of these kinds can change."""
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
    return max(found, key=version, default=None)


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


def weather_facts_of(events: list[Event]) -> Facts:
    """Return what follows from all events about one observation."""
    observed = _newest(events, Observed)
    assert observed is not None  # noqa: S101 - events about an observation are observations
    names = [measure.column for measure in WEATHER.measures]
    measures = dict(zip(names, observed.measures, strict=True))
    return {c.AIRPORT: observed.airport, c.KNOWN: observed.known_at, **measures}


def flight_story(facts: Facts) -> list[Event]:
    """Return the events that a flight of silver was told by, in the order of time.

    The timetable is published `PUBLISHED_AHEAD_MIN` ahead; all else is reported when it is known.
    """
    published = facts[c.SCHEDULED_DEPARTURE] - PUBLISHED_AHEAD_MIN
    schedule = Scheduled(
        reported_at=published * MS_PER_MINUTE, **{name: facts[name] for name in _SCHEDULE}
    )
    own, story = flight_id(schedule), list[Event]([schedule])

    def tell(kind: type, column: str, **more: object) -> None:
        at = facts.get(column)
        if at is not None:
            story.append(kind(reported_at=at * MS_PER_MINUTE, flight_id=own, at=at, **more))

    tell(Departed, c.DEPARTURE_KNOWN)
    tell(Arrived, c.ARRIVAL_KNOWN, air_time_min=facts[c.AIR_TIME])
    tell(Cancelled, c.CANCELLATION_KNOWN)
    tell(Diverted, c.DIVERSION_KNOWN)
    return sorted(story, key=lambda event: event.reported_at)


def observation(facts: Facts) -> Observed:
    """Return the event that an observation of silver was told by."""
    at = facts[c.KNOWN]
    measures = tuple(facts[measure.column] for measure in WEATHER.measures)
    return Observed(
        reported_at=at * MS_PER_MINUTE, airport=facts[c.AIRPORT], known_at=at, measures=measures
    )
