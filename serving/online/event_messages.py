"""Event messages: JSON decoded into strict structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from serving.schema.problems import FieldProblem, InvalidRequestError, MalformedBodyError
from serving.schema.requests import END, INSTANT, Airport, Carrier, ScheduledTime

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_EVENTS: Final = 500
_FIX: Final = "Send it as in the examples of /docs."

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


def parse_events(body: bytes) -> Sequence[EventPayload]:
    """Return the events in a request body; checks types and shapes, not values.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidRequestError: Names the invalid field, such as `events[3].at`.
    """
    try:
        return _REQUEST.decode(body).events
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".") or "body"
        raise InvalidRequestError([FieldProblem(field, f"{problem}.", _FIX)]) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBodyError(
            f"The body cannot be read as JSON ({error}): send one JSON object in UTF-8."
        ) from error
