"""A year lived again: events in the order of time, each flight asked for at its prediction time.

The path is the service's: what events change (`serving.state`), and what answers (`serving.core`).
Only the store is another one, in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa

from features import columns as c
from features.declarations import MAX_WINDOW_DAYS, MINUTES_PER_DAY
from features.flight_events import MS_PER_MINUTE
from features.flight_story import flight_story, observation
from features.layout import SUMS_DAYS
from features.online_items import flight_facts, weather_facts
from pipelines.replay_found import Comparison, Kept, Replayed
from serving.clock import iso_minute
from serving.core import PredictionCore
from serving.model_loader import load_model
from serving.network import Network
from serving.split import ServedModel, Split
from serving.state import OnlineState
from serving.state_mark import move_mark
from serving.stores.artifacts import open_artifact_store
from serving.stores.memory import MemoryOnlineStore

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from features.contract import Contract
    from features.flight_events import Event
    from features.placing import Facts

FLIGHTS, WEATHER, EXPECTED = "flights.arrow", "weather.arrow", "expected.arrow"
_HALO_MIN: Final = (MAX_WINDOW_DAYS + SUMS_DAYS // 4) * MINUTES_PER_DAY
_BATCH: Final = 500
_TOLD_EVERY: Final = 200


@dataclass(frozen=True, slots=True)
class ReplayPart:
    """What one process replays.

    Attributes:
        folder: Holds silver flights, silver weather and what is expected, as Arrow files.
        since: The first prediction time, in minutes since the epoch.
        until: The first prediction time that is not replayed any more.
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


_told: list[Synchronized[int]] = []


def tell(flights: Synchronized[int]) -> None:
    """Let this process add the flights that it replays to a number, for whoever waits."""
    _told[:] = [flights]


def replay(part: ReplayPart) -> Replayed:
    """Return what the online path gives for the flights of one part, beside what is expected."""
    store = MemoryOnlineStore()
    artifacts = open_artifact_store(part.store_uri)
    model = load_model(artifacts, model_name=part.model, version=part.version)
    split = Split(ServedModel(model, None, 0))
    network = msgspec.msgpack.decode(part.network, type=Network)
    now = [0]
    core = PredictionCore(
        split=lambda: split, network=lambda: network, online=store, clock=lambda: now[0]
    )
    contract = model.contract
    flights = list(flight_facts(_read(part, FLIGHTS)))
    asked = [f for f in flights if part.since <= _asked_at(f, contract) < part.until]
    asked.sort(key=lambda facts: _asked_at(facts, contract))
    events = _events(part, flights)
    comparison = Comparison(_read(part, EXPECTED), contract)
    move_mark(store, 0, horizon_min=contract.horizon_min)
    state, at, replayed = OnlineState(store), 0, 0
    for minute, group in groupby(asked, key=lambda facts: _asked_at(facts, contract)):
        before = at
        while at < len(events) and events[at].reported_at < minute * MS_PER_MINUTE:
            at += 1
        for first in range(before, at, _BATCH):
            _apply(state, events[first : min(first + _BATCH, at)])
        now[0] = minute * MS_PER_MINUTE
        for facts in group:
            body = core.predict(_request(facts)).record.body
            comparison.add(msgspec.json.decode(body, type=Kept))
            replayed += 1
        if replayed >= _TOLD_EVERY:
            for flights_told in _told:
                with flights_told.get_lock():
                    flights_told.value += replayed
            replayed = 0
    found = comparison.finish()
    found.events = len(events)
    return found


def _asked_at(facts: Facts, contract: Contract) -> int:
    departure: int = facts[c.SCHEDULED_DEPARTURE]
    return departure - contract.horizon_min


def _events(part: ReplayPart, flights: list[Facts]) -> list[Event]:
    """Return the events that can matter to the part, in the order in which they were reported."""
    since, until = part.since - _HALO_MIN, part.until * MS_PER_MINUTE
    events: list[Event] = []
    for facts in flights:
        if facts[c.SCHEDULED_DEPARTURE] >= since:
            events += flight_story(facts)
    events += [observation(f) for f in weather_facts(_read(part, WEATHER)) if f[c.KNOWN] >= since]
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
