"""Event intake: accepts events into a queue and applies them from it to the online state.

A request is answered once its events are durable in the queue. A queue worker applies them, a few
messages at a time, and deletes a message once its events are in the state. An event that cannot be
applied is moved to the dead-letter queue with the reason. While a store is down, messages are
redelivered.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from features.declare.declarations import MINUTES_PER_DAY
from features.declare.streams import WEATHER, WEATHER_KNOWN_AFTER_MIN
from features.online.flight_events import (
    MS_PER_MINUTE,
    Arrived,
    Cancelled,
    Departed,
    Diverted,
    Event,
    Observed,
    Scheduled,
)
from ontime_base.errors import OntimeError
from serving.online.event_messages import (
    EventPayload,
    EventsAnswer,
    FlightArrived,
    FlightCancelled,
    FlightDeparted,
    FlightDiverted,
    FlightScheduled,
    QueuedEvents,
    WeatherObserved,
    hour_of,
    parse_events,
)
from serving.online.flight_resolver import YEARS, to_flight
from serving.online.online_state import OPEN_DAYS
from serving.schema.clock import now_ms
from serving.schema.problems import (
    InvalidRequestError,
    NotReadyError,
    StoreUnavailableError,
    too_many_queued,
)
from serving.schema.requests import PredictionRequest
from serving.stores.errors import QueueFullError, StoreError, is_outage
from serving.stores.isolation import apply_isolated
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serving.online.network import Network
    from serving.online.online_state import OnlineState
    from serving.stores.queue.protocol import Message, Queue
    from serving.telemetry.metrics import Metrics

_IN_ONE_MESSAGE: Final = 20
_MOST_QUOTED: Final = 100_000
"""Characters of an unreadable message in its dead letter, which has to fit into a message again."""
_AHEAD_MS: Final = 5 * MS_PER_MINUTE
_EARLY_DAYS: Final = 1
_PUBLISHED_DAYS: Final = 366
TOO_LATE: Final = "it came too late"
_UNREADABLE: Final = "it cannot be read: the cause is logged as event_unreadable"
_KINDS: Final[dict[type, type[Departed | Cancelled | Diverted]]] = {
    FlightDeparted: Departed,
    FlightCancelled: Cancelled,
    FlightDiverted: Diverted,
}


class EventRefusedError(OntimeError):
    """An event is not plausible, such as one of the future."""


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that was not applied, as stored in the dead-letter queue."""

    reason: str
    received_at: int
    event: msgspec.Raw


@dataclass
class IntakeResult:
    """The outcome of applying messages.

    Attributes:
        applied: Number of applied events.
        dead: The events that were not applied, each with its reason.
    """

    applied: int = 0
    dead: list[DeadLetter] = field(default_factory=list)


class EventIntake:
    """Accepts events and applies them; may be used by several threads and processes.

    Args:
        queue: Holds events until they are applied.
        state: The online state.
        network: Returns the airports and routes, or raises `NotReadyError`.
        metrics: Counts.
        clock: Milliseconds since the epoch.
    """

    def __init__(
        self,
        queue: Queue,
        state: OnlineState,
        network: Callable[[], Network],
        *,
        metrics: Metrics,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._queue = queue
        self._state = state
        self._network = network
        self._metrics = metrics
        self._clock = clock

    def submit(self, body: bytes) -> EventsAnswer:
        """Accept the events of a request body; they are durable when this returns.

        Raises:
            ProblemError: The body is not valid, or the queue cannot be used.
        """
        events, now = parse_events(body), self._clock()
        messages = [
            msgspec.json.encode(QueuedEvents(now, list(events[at : at + _IN_ONE_MESSAGE]))).decode()
            for at in range(0, len(events), _IN_ONE_MESSAGE)
        ]
        try:
            self._queue.send(messages)
        except QueueFullError as error:
            self._metrics.count("shed_total", reason="events_waiting")
            raise too_many_queued(error) from error
        except StoreError as error:
            raise StoreUnavailableError(f"The events were not accepted. {error}") from error
        self._metrics.count("events_total", len(events), state="accepted")
        return EventsAnswer(len(events))

    def process_messages(self, *, wait_seconds: float) -> int:
        """Receive and apply messages; return how many were received.

        A message that cannot be applied is redelivered, and does not keep the others.

        Raises:
            StoreError: A store cannot be used.
            NotReadyError: The network is not loaded yet.
        """
        messages: Sequence[Message] = self._queue.receive(wait_seconds=wait_seconds)
        if messages:
            failures = self.apply_each([message.body for message in messages])
            done = [each for place, each in enumerate(messages) if place not in failures]
            if done:
                self._queue.delete(done)
            for error in failures.values():
                if is_outage(error) or isinstance(error, NotReadyError):
                    raise error
        return len(messages)

    def check(self) -> None:
        """Raise unless events could be applied.

        Raises:
            StoreError: A store cannot be used.
            NotReadyError: The network is not loaded yet.
        """
        self._network()
        self._queue.depth()
        self._state.check()

    def apply_each(self, bodies: Sequence[str]) -> dict[int, Exception]:
        """Apply messages; return by position why those that have to be redelivered failed.

        An event that can never be applied becomes a dead letter, whatever is sent with it.
        """
        try:
            self._network()
        except NotReadyError as error:
            failures: dict[int, Exception] = dict.fromkeys(range(len(bodies)), error)
        else:
            failures = apply_isolated(bodies, self.apply)
        for failure in {id(each): each for each in failures.values()}.values():
            unexpected = None if isinstance(failure, OntimeError) else failure
            log(logging.ERROR, "events_failed", error=unexpected, reason=str(failure))
        return failures

    def apply(self, bodies: Iterable[str]) -> IntakeResult:
        """Apply the events of messages; those that cannot be applied become dead letters.

        Raises:
            StoreError: A store cannot be used.
            NotReadyError: The network is not loaded yet.
            ItemError: The state has another format.
        """
        events, dead = self._read(bodies)
        applied = self._state.apply(list(events))
        dead += [_dead_letter(reason, *events[event]) for event, reason in applied.refused]
        dead += [_dead_letter(TOO_LATE, *events[event]) for event in applied.too_late]
        self._send_dead_letters(dead)
        self._metrics.count("events_total", applied.applied, state="applied")
        return IntakeResult(applied.applied, dead)

    def _read(
        self, bodies: Iterable[str]
    ) -> tuple[dict[Event, tuple[int, EventPayload]], list[DeadLetter]]:
        """Return the events of messages, each with its arrival and payload, and what is none."""
        events: dict[Event, tuple[int, EventPayload]] = {}
        dead: list[DeadLetter] = []
        network = self._network()
        for body in bodies:
            try:
                queued = msgspec.json.decode(body, type=QueuedEvents)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raw = msgspec.Raw(msgspec.json.encode(body[:_MOST_QUOTED]))
                dead.append(DeadLetter(f"not a message: {error}", self._clock(), raw))
                continue
            for payload in queued.events:
                try:
                    event = to_event(payload, queued.received_at, network)
                except (EventRefusedError, InvalidRequestError) as error:
                    dead.append(_dead_letter(str(error), queued.received_at, payload))
                except Exception as error:  # noqa: BLE001 - the other events are not at fault
                    log(logging.ERROR, "event_unreadable", error=error)
                    dead.append(_dead_letter(_UNREADABLE, queued.received_at, payload))
                else:
                    events[event] = (queued.received_at, payload)
        return events, dead

    def _send_dead_letters(self, dead: list[DeadLetter]) -> None:
        if dead:
            letters = [msgspec.json.encode(one).decode() for one in dead]
            self._queue.dead_letters().send(letters)
            self._metrics.count("events_total", len(dead), state="dead")
            log(logging.WARNING, "events_dead", number=len(dead), reason=dead[0].reason)


def to_event(payload: EventPayload, received_at: int, network: Network) -> Event:
    """Return the event of a payload.

    Its instants are checked against its arrival and against the time of the flight that it is
    about: none of them may be later than what is known, or far from that flight.

    Raises:
        EventRefusedError: It is of the future, not of its flight's days, or of an unknown airport.
        InvalidRequestError: A field has a value that cannot be.
    """
    reported_at = received_at
    if payload.reported_at is not None:
        reported_at = _milliseconds("reported_at", payload.reported_at)
    if reported_at > received_at + _AHEAD_MS:
        raise EventRefusedError(
            f"It was reported at {payload.reported_at}, which is in the future."
        )
    match payload:
        case FlightScheduled():
            return _scheduled(payload, reported_at, received_at, network)
        case WeatherObserved():
            return _observed(payload, reported_at, received_at, network)
    at = _past_minute("at", payload.at, received_at)
    _require_own_days(payload, at)
    if isinstance(payload, FlightArrived):
        own, air_time = payload.flight_id, payload.air_time_min
        return Arrived(reported_at=reported_at, flight_id=own, at=at, air_time_min=air_time)
    return _KINDS[type(payload)](reported_at=reported_at, flight_id=payload.flight_id, at=at)


def _scheduled(
    payload: FlightScheduled, reported_at: int, received_at: int, network: Network
) -> Scheduled:
    names = PredictionRequest.__struct_fields__
    fields = {name: getattr(payload, name) for name in names if name != "as_of"}
    flight = to_flight(PredictionRequest(**fields), network)
    latest = received_at // MS_PER_MINUTE + _PUBLISHED_DAYS * MINUTES_PER_DAY
    if flight.scheduled_departure_at > latest:
        raise EventRefusedError(
            f"It departs at {payload.scheduled_departure}, more than {_PUBLISHED_DAYS} days from "
            "now: no schedule is published so far ahead."
        )
    return Scheduled(reported_at=reported_at, **msgspec.structs.asdict(flight))


def _observed(
    payload: WeatherObserved, reported_at: int, received_at: int, network: Network
) -> Observed:
    if payload.airport not in network.origins:
        raise EventRefusedError(
            f"The weather at {payload.airport} is in no feature: send that of "
            f"{', '.join(network.origins)}."
        )
    observed_at = _past_minute("observed_at", payload.observed_at, received_at)
    known_at = observed_at + WEATHER_KNOWN_AFTER_MIN
    measures = tuple(getattr(payload, measure.column) for measure in WEATHER.measures)
    return Observed(
        reported_at=reported_at, airport=payload.airport, known_at=known_at, measures=measures
    )


def _past_minute(name: str, text: str, received_at: int) -> int:
    """Return the minute of something that has happened by the arrival of its event."""
    at = _milliseconds(name, text)
    if at > received_at + _AHEAD_MS:
        raise EventRefusedError(f"{name}: It happened at {text}, which is in the future.")
    return at // MS_PER_MINUTE


def _require_own_days(
    payload: FlightDeparted | FlightArrived | FlightCancelled | FlightDiverted, at: int
) -> None:
    """Raise unless an instant is near the scheduled departure of the flight that it is about."""
    due = _own_minute(payload.flight_id)
    before = _PUBLISHED_DAYS if isinstance(payload, FlightCancelled) else _EARLY_DAYS
    if not due - before * MINUTES_PER_DAY <= at <= due + OPEN_DAYS * MINUTES_PER_DAY:
        raise EventRefusedError(
            f"at: It happened at {payload.at}, which is not within {before} days before and "
            f"{OPEN_DAYS} days after the scheduled departure of {payload.flight_id}."
        )


def _own_minute(flight_id: str) -> int:
    """Return the minute of the UTC hour that a flight id names."""
    at = hour_of(flight_id)
    if at is None:
        raise EventRefusedError(
            f"flight_id: '{flight_id}' does not end with a day and UTC hour that exist: send "
            "carrier, number and UTC hour of the scheduled departure, such as UA-389-2013123023."
        )
    return int(at.timestamp()) // 60


def _milliseconds(name: str, text: str) -> int:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise EventRefusedError(f"{name}: '{text}' is not a date and time ({error}).") from error
    if at.tzinfo is None or at.year not in YEARS:
        raise EventRefusedError(
            f"{name}: '{text}' has no offset, or is not in the years {YEARS[0]} to {YEARS[-1]}."
        )
    return int(at.timestamp() * 1000)


def _dead_letter(reason: str, received_at: int, payload: EventPayload) -> DeadLetter:
    return DeadLetter(reason, received_at, msgspec.Raw(msgspec.json.encode(payload)))
