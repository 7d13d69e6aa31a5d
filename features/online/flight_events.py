"""Events about a flight or a weather observation, and the event set that stores them.

The state of a subject (one flight, or one observation) is the set of the events about it. Sets
merge to the same bytes in every order and with every repeat, so applying an event is idempotent.
`features.online.event_resolution` derives the silver row from a set.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from features.online.item_keys import utc_hour
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterable


MS_PER_MINUTE: Final = 60_000
MAX_EVENTS: Final = 64
"""Limit of events about one subject: more than any flight has, corrections included."""


class Reported(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An event.

    Attributes:
        reported_at: When it was reported, in milliseconds since the epoch: a later report of the
            same kind about the same subject corrects an earlier one.
    """

    reported_at: int


class Scheduled(Reported, frozen=True, array_like=True, kw_only=True, tag="s"):
    """The flight's entry in the published schedule; instants are minutes since the epoch."""

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
    """The weather at an airport: measures in the order of the stream, None if not measured."""

    airport: str
    known_at: int
    measures: tuple[float | None, ...]


Event: TypeAlias = Scheduled | Departed | Arrived | Cancelled | Diverted | Observed
_ENCODER: Final = msgspec.msgpack.Encoder()
_EVENT: Final = msgspec.msgpack.Decoder(Event)
_EVENTS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


class EventSetError(OntimeError):
    """An event cannot be stored."""


def subject_key(event: Event) -> str:
    """Return the key of the event set that the event belongs to."""
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

    It is the start of the hour of the scheduled departure, which all events about a flight share:
    either all of them are too late, or none. For an observation it is its known-at minute.
    """
    match event:
        case Scheduled():
            return event.scheduled_departure_at // 60 * 60
        case Observed():
            return event.known_at
        case _:
            return _minute_of(event.flight_id.rpartition("-")[2])


def known_minute(event: Event) -> int:
    """Return the known-at minute of an event; 0 for a schedule, which is published ahead."""
    match event:
        case Scheduled():
            return 0
        case Observed():
            return event.known_at
        case _:
            return event.at


def merge_events(body: bytes | None, events: Iterable[Event]) -> bytes:
    """Return an event set with more events merged in.

    Args:
        body: The encoded set, None when there is none yet.
        events: Events about the same subject.

    Raises:
        EventSetError: The set would have more than `MAX_EVENTS` events.
    """
    merged = set(map(bytes, _EVENTS.decode(body))) if body is not None else set()
    merged |= {_ENCODER.encode(event) for event in events}
    if len(merged) > MAX_EVENTS:
        raise EventSetError(
            f"There are more than {MAX_EVENTS} events about one flight or observation: find out "
            "what sends them, and send one event for each change."
        )
    return _ENCODER.encode(list(map(msgspec.Raw, sorted(merged))))


def decode_events(body: bytes) -> list[Event]:
    """Return the events of an encoded event set."""
    return [_EVENT.decode(raw) for raw in _EVENTS.decode(body)]


def report_order(event: Event) -> tuple[int, bytes]:
    """Return the sort key of reports of one kind about one subject: the greatest counts."""
    return event.reported_at, _ENCODER.encode(event)
