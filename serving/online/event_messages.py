"""Event messages: JSON decoded into strict structs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, get_args

import msgspec
from msgspec import Meta

from serving.schema.field_problems import (
    UNREADABLE,
    field_shown,
    meant,
    not_a,
    object_problems,
    plain_json,
    problems_of,
    require_unique,
    value_shown,
)
from serving.schema.problems import FieldProblem
from serving.schema.requests import (
    END,
    FIXES,
    INSTANT,
    MEANINGS,
    Airport,
    Carrier,
    ScheduledTime,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_EVENTS: Final = 500
_NO_HOUR: Final = "'{}' does not end with a day and UTC hour that exist."

Instant: TypeAlias = Annotated[
    str, Meta(pattern=INSTANT, max_length=32, description="ISO 8601, with an offset or Z.")
]
FlightId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z0-9]{2}-[1-9]\d{0,3}-\d{10}" + END,
        max_length=18,
        description="Carrier, number and UTC hour of the scheduled departure.",
    ),
]
Reported: TypeAlias = Annotated[
    Instant | None,
    Meta(description="When it was reported: of a kind, the last report counts. Default: now."),
]


class EventMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="event"):
    """The base of all event messages."""


class FlightScheduled(EventMessage, frozen=True, kw_only=True, tag="flight_scheduled"):
    """The timetable has this flight, or has it otherwise than before."""

    carrier: Carrier
    flight_number: Annotated[int, Meta(ge=1, le=9999)]
    origin: Airport
    destination: Airport
    scheduled_departure: ScheduledTime
    scheduled_arrival: ScheduledTime
    tail_number: Annotated[str, Meta(pattern="^[A-Z0-9-]{2,10}" + END, max_length=10)] | None = None
    reported_at: Reported = None


class FlightDeparted(EventMessage, frozen=True, kw_only=True, tag="flight_departed"):
    """The flight has left."""

    flight_id: FlightId
    at: Instant
    reported_at: Reported = None


class FlightArrived(EventMessage, frozen=True, kw_only=True, tag="flight_arrived"):
    """The flight has arrived."""

    flight_id: FlightId
    at: Instant
    air_time_min: Annotated[int, Meta(ge=1, le=1440)] | None = None
    reported_at: Reported = None


class FlightCancelled(EventMessage, frozen=True, kw_only=True, tag="flight_cancelled"):
    """The flight's cancellation became known."""

    flight_id: FlightId
    at: Instant
    reported_at: Reported = None


class FlightDiverted(EventMessage, frozen=True, kw_only=True, tag="flight_diverted"):
    """The flight's diversion became known."""

    flight_id: FlightId
    at: Instant
    reported_at: Reported = None


class WeatherObserved(EventMessage, frozen=True, kw_only=True, tag="weather_observed"):
    """The weather in the hour from this instant on; what was not measured is null."""

    airport: Airport
    observed_at: Instant
    temperature_f: Annotated[float, Meta(ge=-100, le=150)] | None = None
    humidity_pct: Annotated[float, Meta(ge=0, le=110)] | None = None
    wind_direction_deg: Annotated[float, Meta(ge=0, le=360)] | None = None
    wind_speed_mph: Annotated[float, Meta(ge=0, le=250)] | None = None
    wind_gust_mph: Annotated[float, Meta(ge=0, le=300)] | None = None
    precipitation_in: Annotated[float, Meta(ge=0, le=30)] | None = None
    pressure_hpa: Annotated[float, Meta(ge=850, le=1100)] | None = None
    visibility_mi: Annotated[float, Meta(ge=0, le=200)] | None = None
    reported_at: Reported = None


EventPayload: TypeAlias = (
    FlightScheduled
    | FlightDeparted
    | FlightArrived
    | FlightCancelled
    | FlightDiverted
    | WeatherObserved
)


class EventsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events, in any order; the same may be sent again."""

    events: Annotated[list[EventPayload], Meta(min_length=1, max_length=MOST_EVENTS)]


class EventsAnswer(msgspec.Struct, frozen=True):
    """The events are durable, and will be applied."""

    accepted: Annotated[int, Meta(description="How many.")]


class QueuedEvents(msgspec.Struct, frozen=True):
    """A message of the queue.

    Attributes:
        received_at: Milliseconds since the epoch.
        events: The events.
    """

    received_at: int
    events: list[EventPayload]


_REQUEST: Final = msgspec.json.Decoder(EventsRequest)
_KINDS: Final[Mapping[str, type[EventMessage]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(EventPayload)
}
_INSTANT_FIX: Final = 'Send an instant with its offset, such as "2013-12-30T23:52Z".'
_MEANINGS: Final[Mapping[str, str]] = {
    **MEANINGS,
    "flight_id": "the id of a flight: carrier, number and UTC hour of the scheduled departure",
    "at": "a date and time as in ISO 8601",
    "airport": "an airport code of three capital letters or digits",
    "observed_at": "a date and time as in ISO 8601",
    "reported_at": "a date and time as in ISO 8601",
}
_FIXES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        WeatherObserved.__struct_fields__, "Send a number, or null if it was not measured."
    ),
    **FIXES,
    "flight_id": 'Send carrier, number and UTC hour, such as "UA-389-2013123023".',
    "at": _INSTANT_FIX,
    "airport": 'Send the three-character code in upper case, such as "JFK".',
    "observed_at": _INSTANT_FIX,
    "reported_at": f"{_INSTANT_FIX[:-1]}, or leave it out.",
    "air_time_min": "Send whole minutes from 1 to 1440, or leave it out.",
    "event": f"Send one of {', '.join(_KINDS)}.",
    "events": 'Send a list of events, such as {"events": [{"event": "flight_departed", ...}]}.',
}


def hour_of(flight_id: str) -> dt.datetime | None:
    """Return the UTC hour of the scheduled departure that a flight id names; None: no such hour."""
    text = flight_id.rpartition("-")[2]
    try:
        return dt.datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def parse_events(body: bytes) -> Sequence[EventPayload]:
    """Return the events in a request body; checks types, shapes, and the hour of each flight id.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidRequestError: Names every invalid field, such as `events[3].at`.
    """
    try:
        events = _REQUEST.decode(body).events
    except UNREADABLE:
        raise problems_of(_problems(plain_json(body))) from None
    require_unique(body)
    faults = [
        FieldProblem(
            f"events[{place}].flight_id", _NO_HOUR.format(event.flight_id), _FIXES["flight_id"]
        )
        for place, event in enumerate(events)
        if not isinstance(event, FlightScheduled | WeatherObserved)
        and hour_of(event.flight_id) is None
    ]
    if faults:
        raise problems_of(faults)
    return events


def _problems(data: object) -> Iterator[FieldProblem]:
    events = data.get("events") if isinstance(data, dict) else None
    if not isinstance(events, list) or not 1 <= len(events) <= MOST_EVENTS:
        meaning = f"a list of 1 to {MOST_EVENTS} events"
        if isinstance(events, list):
            problem = f"These are {len(events)} events."
            yield FieldProblem("events", problem, f"Send {meaning}.")
            return
        meanings = {"events": meaning}
        yield from object_problems(data, EventsRequest, meanings=meanings, fixes=_FIXES)
        return
    for place, event in enumerate(events):
        yield from _event_problems(event, f"events[{place}]")
    for name in data if isinstance(data, dict) else ():
        if name != "events":
            yield FieldProblem(
                field_shown(name), "There is no such field.", meant(name, ["events"])
            )


def _event_problems(event: object, where: str) -> Iterator[FieldProblem]:
    if not isinstance(event, dict):
        yield FieldProblem(where, f"{value_shown(event)} is not an object.", _FIXES["event"])
        return
    tag = event.get("event")
    kind = _KINDS.get(tag) if isinstance(tag, str) else None
    if kind is None:
        problem = not_a(tag, "a kind of event") if "event" in event else "It is missing."
        yield FieldProblem(f"{where}.event", problem, _FIXES["event"])
        return
    yield from object_problems(event, kind, meanings=_MEANINGS, fixes=_FIXES, within=where)
