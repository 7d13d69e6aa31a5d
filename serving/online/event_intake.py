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
    parse_events,
)
from serving.online.flight_resolver import YEARS, to_flight
from serving.schema.clock import now_ms
from serving.schema.problems import InvalidRequestError, StoreUnavailableError
from serving.schema.requests import PredictionRequest
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serving.online.network import Network
    from serving.online.online_state import OnlineState
    from serving.stores.queue.protocol import Message, Queue
    from serving.telemetry.metrics import Metrics

_IN_ONE_MESSAGE: Final = 20
_AHEAD_MS: Final = 5 * MS_PER_MINUTE
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
        except StoreError as error:
            raise StoreUnavailableError(f"The events were not accepted. {error}") from error
        self._metrics.count("events_total", len(events), state="accepted")
        return EventsAnswer(len(events))

    def process_messages(self, *, wait_seconds: float) -> int:
        """Receive and apply messages; return how many were received.

        Raises:
            StoreError: A store cannot be used; the messages are redelivered.
            NotReadyError: The network is not loaded yet; likewise.
            ItemError: The state has another format; likewise.
        """
        messages: Sequence[Message] = self._queue.receive(wait_seconds=wait_seconds)
        if messages:
            self.apply([message.body for message in messages])
            self._queue.delete(messages)
        return len(messages)

    def apply(self, bodies: Iterable[str]) -> IntakeResult:
        """Apply the events of messages; those that cannot be applied become dead letters.

        Raises:
            StoreError, NotReadyError, ItemError: See `process_messages`.
        """
        result, events = IntakeResult(), dict[Event, tuple[int, EventPayload]]()
        network = self._network()
        for body in bodies:
            try:
                queued = msgspec.json.decode(body, type=QueuedEvents)
            except msgspec.MsgspecError as error:
                raw = msgspec.Raw(msgspec.json.encode(body))
                result.dead.append(DeadLetter(f"not a message: {error}", self._clock(), raw))
                continue
            for payload in queued.events:
                try:
                    events[to_event(payload, queued.received_at, network)] = (
                        queued.received_at,
                        payload,
                    )
                except (EventRefusedError, InvalidRequestError) as error:
                    result.dead.append(_dead_letter(str(error), queued.received_at, payload))
        applied = self._state.apply(list(events))
        result.applied = applied.applied
        result.dead += [_dead_letter(reason, *events[event]) for event, reason in applied.refused]
        result.dead += [
            _dead_letter("it came too late", *events[event]) for event in applied.too_late
        ]
        self._send_dead_letters(result.dead)
        self._metrics.count("events_total", result.applied, state="applied")
        return result

    def _send_dead_letters(self, dead: list[DeadLetter]) -> None:
        if dead:
            letters = [msgspec.json.encode(one).decode() for one in dead]
            self._queue.dead_letters().send(letters)
            self._metrics.count("events_total", len(dead), state="dead")
            log(logging.WARNING, "events_dead", number=len(dead), reason=dead[0].reason)


def to_event(payload: EventPayload, received_at: int, network: Network) -> Event:
    """Return the event of a payload.

    Raises:
        EventRefusedError: It is of the future, or of an unknown airport.
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
            return _scheduled(payload, reported_at, network)
        case WeatherObserved():
            return _observed(payload, reported_at, network)
    at = _milliseconds("at", payload.at) // MS_PER_MINUTE
    if at * MS_PER_MINUTE > received_at + _AHEAD_MS:
        raise EventRefusedError(f"It happened at {payload.at}, which is in the future.")
    if isinstance(payload, FlightArrived):
        own, air_time = payload.flight_id, payload.air_time_min
        return Arrived(reported_at=reported_at, flight_id=own, at=at, air_time_min=air_time)
    return _KINDS[type(payload)](reported_at=reported_at, flight_id=payload.flight_id, at=at)


def _scheduled(payload: FlightScheduled, reported_at: int, network: Network) -> Scheduled:
    names = PredictionRequest.__struct_fields__
    fields = {name: getattr(payload, name) for name in names if name != "as_of"}
    flight = to_flight(PredictionRequest(**fields), network)
    return Scheduled(reported_at=reported_at, **msgspec.structs.asdict(flight))


def _observed(payload: WeatherObserved, reported_at: int, network: Network) -> Observed:
    if payload.airport not in network.origins:
        raise EventRefusedError(
            f"The weather at {payload.airport} is in no feature: send that of "
            f"{', '.join(network.origins)}."
        )
    observed_at = _milliseconds("observed_at", payload.observed_at) // MS_PER_MINUTE
    known_at = observed_at + WEATHER_KNOWN_AFTER_MIN
    measures = tuple(getattr(payload, measure.column) for measure in WEATHER.measures)
    return Observed(
        reported_at=reported_at, airport=payload.airport, known_at=known_at, measures=measures
    )


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
