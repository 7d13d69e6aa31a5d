"""Events from their sources to the online state: accepted into a queue, applied from it, none lost.

A request is answered once its events are durable in the queue. Whoever works on the queue applies
them, a few messages at a time; a message is deleted once its events are in the state. An event that
cannot be applied goes to the dead letters with the reason; a store that is down brings all of its
messages again.
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
    EventsAnswer,
    FlightArrived,
    FlightCancelled,
    FlightDeparted,
    FlightDiverted,
    FlightScheduled,
    QueuedEvents,
    Told,
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
    """An event says what cannot be."""


class DeadEvent(msgspec.Struct, frozen=True):
    """An event that was not applied, as it is kept among the dead letters."""

    reason: str
    received_at: int
    event: msgspec.Raw


@dataclass
class Worked:
    """What became of the events of some messages.

    Attributes:
        applied: How many are in the state.
        dead: Those that are not, each with its reason.
    """

    applied: int = 0
    dead: list[DeadEvent] = field(default_factory=list)


class EventInbox:
    """Accepts events and applies them; safe to use from several threads and processes.

    Args:
        queue: Where they wait.
        state: What they are applied to.
        network: Gives the airports and routes, or raises `NotReadyError`.
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

    def work_off(self, *, wait_seconds: float) -> int:
        """Apply what the queue holds; return how many messages came.

        Raises:
            StoreError: A store cannot be used; the messages come again.
            NotReadyError: The airports are not known yet; likewise.
            ItemError: The state was written by other code; likewise.
        """
        messages: Sequence[Message] = self._queue.receive(wait_seconds=wait_seconds)
        if messages:
            self.apply([message.body for message in messages])
            self._queue.delete(messages)
        return len(messages)

    def apply(self, bodies: Iterable[str]) -> Worked:
        """Apply the events of messages; those that cannot be are dead letters when this returns.

        Raises:
            StoreError, NotReadyError, ItemError: See `work_off`.
        """
        worked, events = Worked(), dict[Event, tuple[int, Told]]()
        network = self._network()
        for body in bodies:
            try:
                queued = msgspec.json.decode(body, type=QueuedEvents)
            except msgspec.MsgspecError as error:
                raw = msgspec.Raw(msgspec.json.encode(body))
                worked.dead.append(DeadEvent(f"not a message: {error}", self._clock(), raw))
                continue
            for told in queued.events:
                try:
                    events[to_event(told, queued.received_at, network)] = queued.received_at, told
                except (EventRefusedError, InvalidRequestError) as error:
                    worked.dead.append(_dead(str(error), queued.received_at, told))
        applied = self._state.apply(list(events))
        worked.applied = applied.applied
        worked.dead += [_dead(reason, *events[event]) for event, reason in applied.refused]
        worked.dead += [_dead("it came too late", *events[event]) for event in applied.too_late]
        self._bury(worked.dead)
        self._metrics.count("events_total", worked.applied, state="applied")
        return worked

    def _bury(self, dead: list[DeadEvent]) -> None:
        if dead:
            letters = [msgspec.json.encode(one).decode() for one in dead]
            self._queue.dead_letters().send(letters)
            self._metrics.count("events_total", len(dead), state="dead")
            log(logging.WARNING, "events_dead", number=len(dead), reason=dead[0].reason)


def to_event(told: Told, received_at: int, network: Network) -> Event:
    """Return what an event means.

    Raises:
        EventRefusedError: It is of the future, or of an unknown airport.
        InvalidRequestError: A field has a value that cannot be.
    """
    reported_at = received_at
    if told.reported_at is not None:
        reported_at = _milliseconds("reported_at", told.reported_at)
    if reported_at > received_at + _AHEAD_MS:
        raise EventRefusedError(f"It was reported at {told.reported_at}, which is yet to come.")
    match told:
        case FlightScheduled():
            return _scheduled(told, reported_at, network)
        case WeatherObserved():
            return _observed(told, reported_at, network)
    at = _milliseconds("at", told.at) // MS_PER_MINUTE
    if at * MS_PER_MINUTE > received_at + _AHEAD_MS:
        raise EventRefusedError(f"It happened at {told.at}, which is yet to come.")
    if isinstance(told, FlightArrived):
        own, air_time = told.flight_id, told.air_time_min
        return Arrived(reported_at=reported_at, flight_id=own, at=at, air_time_min=air_time)
    return _KINDS[type(told)](reported_at=reported_at, flight_id=told.flight_id, at=at)


def _scheduled(told: FlightScheduled, reported_at: int, network: Network) -> Scheduled:
    names = PredictionRequest.__struct_fields__
    fields = {name: getattr(told, name) for name in names if name != "as_of"}
    flight = to_flight(PredictionRequest(**fields), network)
    return Scheduled(reported_at=reported_at, **msgspec.structs.asdict(flight))


def _observed(told: WeatherObserved, reported_at: int, network: Network) -> Observed:
    if told.airport not in network.origins:
        raise EventRefusedError(
            f"The weather at {told.airport} is in no feature: send that of "
            f"{', '.join(network.origins)}."
        )
    observed_at = _milliseconds("observed_at", told.observed_at) // MS_PER_MINUTE
    known_at = observed_at + WEATHER_KNOWN_AFTER_MIN
    measures = tuple(getattr(told, measure.column) for measure in WEATHER.measures)
    return Observed(
        reported_at=reported_at, airport=told.airport, known_at=known_at, measures=measures
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


def _dead(reason: str, received_at: int, told: Told) -> DeadEvent:
    return DeadEvent(reason, received_at, msgspec.Raw(msgspec.json.encode(told)))
