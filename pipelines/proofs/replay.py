"""A replay of the year: events in the order of time, each flight requested at its prediction time.

The path is the service's: what events change (`serving.online.online_state`), and what answers
(`serving.inference.predictor`). Only the store is another one, in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from features.declare import columns as c
from features.declare.declarations import MAX_WINDOW_DAYS, MINUTES_PER_DAY
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.flight_events import MS_PER_MINUTE
from features.online.item_layout import SUMS_DAYS
from features.online.items_from_silver import flight_facts, weather_facts
from serving.inference.predictor import Predictor
from serving.models.model_loader import load_model
from serving.models.scorer import TOLERANCE
from serving.models.traffic_split import ServedModel, TrafficSplit
from serving.online.network import Network
from serving.online.online_state import OnlineState, fill_watermark
from serving.schema.clock import iso_minute, now_ms
from serving.stores.online.memory import MemoryOnlineStore
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from numpy.typing import NDArray

    from features.contract.feature_contract import Contract
    from features.online.flight_events import Event
    from features.online.row_mapping import Facts

PROBABILITY: Final = "offline_probability"
_COMPARED_TOGETHER: Final = 2_000
_EXAMPLES: Final = 5
FLIGHTS, WEATHER, EXPECTED = "flights.arrow", "weather.arrow", "expected.arrow"
_HALO_MIN: Final = (MAX_WINDOW_DAYS + SUMS_DAYS // 4) * MINUTES_PER_DAY
_BATCH: Final = 500
_REPORT_EVERY: Final = 200

_counter: list[Synchronized[int]] = []


@dataclass(frozen=True, slots=True)
class ReplayPart:
    """The part of the replay that one process runs.

    Attributes:
        folder: Holds silver flights, silver weather and what is expected, as Arrow files.
        since: The first prediction time, in minutes since the epoch.
        until: The first prediction time after the part.
        store_uri: Where the model package is.
        model: The registered model.
        version: Its version.
        network: The airports and routes.
    """

    folder: str
    since: int
    until: int
    store_uri: str
    model: str
    version: str
    network: bytes


@dataclass
class Replayed:
    """The differences that a replay found.

    Attributes:
        flights: Flights that were requested, by month.
        equal: Of those, all features the same bits, and the probability within the tolerance.
        unequal_features: By feature, for how many flights it was not the same.
        max_difference: The greatest difference between two probabilities.
        features: How many features were compared.
        events: How many events were applied.
        examples: A few of the differences, as text.
    """

    flights: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    unequal_features: Counter[str] = field(default_factory=Counter)
    max_difference: float = 0.0
    features: int = 0
    events: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Replayed) -> None:
        """Add what another replay found."""
        self.flights += other.flights
        self.equal += other.equal
        self.unequal_features += other.unequal_features
        self.max_difference = max(self.max_difference, other.max_difference)
        self.features = max(self.features, other.features)
        self.events += other.events
        self.examples = (self.examples + other.examples)[:_EXAMPLES]


def count_replayed(flights: Synchronized[int]) -> None:
    """Set the number to which this process adds the flights that it replays."""
    _counter[:] = [flights]


def replay(part: ReplayPart) -> Replayed:
    """Return what the online path gives for the flights of one part, beside what is expected."""
    store = MemoryOnlineStore()
    artifacts = open_artifact_store(part.store_uri)
    model = load_model(artifacts, model_name=part.model, version=part.version)
    split = TrafficSplit(ServedModel(model, None, 0))
    network = msgspec.msgpack.decode(part.network, type=Network)
    now = [0]
    core = Predictor(
        split=lambda: split, network=lambda: network, online=store, clock=lambda: now[0]
    )
    contract = model.contract
    flights = list(flight_facts(_read(part, FLIGHTS)))
    requested = [f for f in flights if part.since <= _requested_at(f, contract) < part.until]
    requested.sort(key=lambda facts: _requested_at(facts, contract))
    events = _events(part, flights)
    comparison = Comparison(_read(part, EXPECTED), contract)
    fill_watermark(store, 0, horizon_min=contract.horizon_min, now=now_ms() // MS_PER_MINUTE)
    state, at, replayed = OnlineState(store), 0, 0
    for minute, group in groupby(requested, key=lambda facts: _requested_at(facts, contract)):
        before = at
        while at < len(events) and events[at].reported_at < minute * MS_PER_MINUTE:
            at += 1
        for first in range(before, at, _BATCH):
            _apply(state, events[first : min(first + _BATCH, at)])
        now[0] = minute * MS_PER_MINUTE
        for facts in group:
            body = core.predict(_request(facts)).record.body
            comparison.add(msgspec.json.decode(body, type=_Recorded))
            replayed += 1
        if replayed >= _REPORT_EVERY:
            for counter in _counter:
                with counter.get_lock():
                    counter.value += replayed
            replayed = 0
    found = comparison.finish()
    found.events = len(events)
    return found


class Comparison:
    """Compares predictions with what is expected, some thousand flights at a time.

    Args:
        expected: The feature table with the offline probability of each flight.
        contract: The features that are compared.
    """

    def __init__(self, expected: pa.Table, contract: Contract) -> None:
        self._expected = expected
        self._rows = {own: row for row, own in enumerate(expected[c.FLIGHT_ID].to_pylist())}
        self._names = [spec.name for spec in contract.features]
        self._texts = set(contract.categorical)
        self._waiting: list[_Recorded] = []
        self.found = Replayed(features=len(self._names))

    def add(self, recorded: _Recorded) -> None:
        """Compare a prediction, in a batch with others."""
        self._waiting.append(recorded)
        if len(self._waiting) >= _COMPARED_TOGETHER:
            self.finish()

    def finish(self) -> Replayed:
        """Compare what is left, and return what was found."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._compare(waiting)
        return self.found

    def _compare(self, recorded: list[_Recorded]) -> None:
        rows = self._expected.take([self._rows[one.flight_id] for one in recorded])
        equal = np.ones(len(recorded), dtype=np.bool_)
        for number, name in enumerate(self._names):
            online = [one.features[number] for one in recorded]
            offline = rows[name].to_pylist()
            same = np.array([x == y for x, y in zip(online, offline, strict=True)])
            equal &= same
            self._note(name, same, recorded, online, offline)
        apart = np.abs([one.probability for one in recorded] - rows[PROBABILITY].to_numpy())
        self.found.max_difference = max(self.found.max_difference, float(apart.max()))
        equal &= apart <= TOLERANCE
        months = [f"{date:%Y-%m}" for date in rows[c.FLIGHT_DATE].to_pylist()]
        self.found.flights.update(months)
        self.found.equal.update(m for m, ok in zip(months, equal.tolist(), strict=True) if ok)

    def _note(
        self,
        name: str,
        same: NDArray[np.bool_],
        recorded: list[_Recorded],
        online: list[Any],
        offline: list[Any],
    ) -> None:
        if same.all():
            return
        self.found.unequal_features[name] += int((~same).sum())
        for row in np.flatnonzero(~same)[: _EXAMPLES - len(self.found.examples)].tolist():
            self.found.examples.append(
                f"{recorded[row].flight_id}: {name} is {online[row]} online, and {offline[row]} "
                "in the feature table"
            )


class _Recorded(msgspec.Struct):
    """The compared values of a recorded prediction."""

    flight_id: str
    probability: float
    features: list[float | str | None]


def _requested_at(facts: Facts, contract: Contract) -> int:
    departure: int = facts[c.SCHEDULED_DEPARTURE]
    return departure - contract.horizon_min


def _events(part: ReplayPart, flights: list[Facts]) -> list[Event]:
    """Return the events that can affect the part, in the order in which they were reported."""
    since, until = part.since - _HALO_MIN, part.until * MS_PER_MINUTE
    events: list[Event] = []
    for facts in flights:
        if facts[c.SCHEDULED_DEPARTURE] >= since:
            events += events_of_flight(facts)
    events += [
        event_of_observation(f) for f in weather_facts(_read(part, WEATHER)) if f[c.KNOWN] >= since
    ]
    chosen = [event for event in events if event.reported_at < until]
    return sorted(chosen, key=lambda event: event.reported_at)


def _apply(state: OnlineState, events: list[Event]) -> None:
    applied = state.apply(events)
    assert applied.applied == len(events), applied  # noqa: S101 - in time, and few for each flight


def _request(facts: Facts) -> bytes:
    """Return the request for a flight as a client sends it."""
    names = (c.CARRIER, c.FLIGHT_NUMBER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER)
    instants = {
        "scheduled_departure": iso_minute(facts[c.SCHEDULED_DEPARTURE]),
        "scheduled_arrival": iso_minute(facts[c.SCHEDULED_ARRIVAL]),
    }
    return msgspec.json.encode({name: facts[name] for name in names} | instants)


def _read(part: ReplayPart, name: str) -> pa.Table:
    with pa.memory_map(str(Path(part.folder, name))) as source:
        return pa.ipc.open_file(source).read_all()
