"""`ontime prove skew`: online and offline features and probabilities of every flight are equal.

What the online path gave for each flight, beside what the feature table has.

A year lived again: events in the order of time, each flight asked for at its prediction time.

The path is the service's: what events change (`serving.online.online_state`), and what answers
(`serving.inference.predictor`).
Only the store is another one, in memory.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS, to_minutes
from features.contract.feature_contract import selected
from features.declare import columns as c
from features.declare.declarations import MAX_WINDOW_DAYS, MINUTES_PER_DAY
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.flight_events import MS_PER_MINUTE
from features.online.item_layout import SUMS_DAYS
from features.online.items_from_silver import flight_facts, weather_facts
from ontime_base.errors import OntimeError
from pipelines.online.materialize import network_of
from pipelines.run import run_pipeline
from pipelines.runtime.figures import write_figures
from serving.inference.predictor import Predictor
from serving.models.model_loader import load_model
from serving.models.release_document import read_release
from serving.models.scorer import TOLERANCE
from serving.models.traffic_split import ServedModel, TrafficSplit
from serving.online.network import Network
from serving.online.online_state import OnlineState, advance_watermark
from serving.schema.clock import iso_minute
from serving.settings import artifact_store_uri
from serving.stores.online.memory import MemoryOnlineStore
from serving.stores.opening import open_artifact_store
from training.data.samples import to_sample
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.sharedctypes import Synchronized

    from numpy.typing import NDArray

    from features.contract.feature_contract import Contract
    from features.online.flight_events import Event
    from features.online.row_mapping import Facts
    from pipelines.runtime.context import RunContext
    from serving.models.release_document import ReleasedVersion

PROBABILITY: Final = "offline_probability"
_AT_ONCE: Final = 2_000
_EXAMPLES: Final = 5


@dataclass
class Replayed:
    """What was found.

    Attributes:
        flights: Flights that were asked for, by month.
        equal: Of those, all features the same bits, and the probability within the tolerance.
        unequal_features: By feature, for how many flights it was not the same.
        max_difference: The greatest difference between two probabilities.
        features: How many features were compared.
        events: How many events were applied.
        examples: A few of the differences, in words.
    """

    flights: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    unequal_features: Counter[str] = field(default_factory=Counter)
    max_difference: float = 0.0
    features: int = 0
    events: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Replayed) -> None:
        """Take in what was found elsewhere."""
        self.flights += other.flights
        self.equal += other.equal
        self.unequal_features += other.unequal_features
        self.max_difference = max(self.max_difference, other.max_difference)
        self.features = max(self.features, other.features)
        self.events += other.events
        self.examples = (self.examples + other.examples)[:_EXAMPLES]


class Kept(msgspec.Struct):
    """What is compared of a prediction that was kept."""

    flight_id: str
    probability: float
    features: list[float | str | None]


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
        self._waiting: list[Kept] = []
        self.found = Replayed(features=len(self._names))

    def add(self, kept: Kept) -> None:
        """Compare a prediction, sooner or later."""
        self._waiting.append(kept)
        if len(self._waiting) >= _AT_ONCE:
            self.finish()

    def finish(self) -> Replayed:
        """Compare what still waits, and return what was found."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._compare(waiting)
        return self.found

    def _compare(self, kept: list[Kept]) -> None:
        rows = self._expected.take([self._rows[one.flight_id] for one in kept])
        equal = np.ones(len(kept), dtype=np.bool_)
        for number, name in enumerate(self._names):
            online = [one.features[number] for one in kept]
            offline = rows[name].to_pylist()
            same = np.array([x == y for x, y in zip(online, offline, strict=True)])
            equal &= same
            self._note(name, same, kept, online, offline)
        apart = np.abs([one.probability for one in kept] - rows[PROBABILITY].to_numpy())
        self.found.max_difference = max(self.found.max_difference, float(apart.max()))
        equal &= apart <= TOLERANCE
        months = [f"{date:%Y-%m}" for date in rows[c.FLIGHT_DATE].to_pylist()]
        self.found.flights.update(months)
        self.found.equal.update(m for m, ok in zip(months, equal.tolist(), strict=True) if ok)

    def _note(
        self,
        name: str,
        same: NDArray[np.bool_],
        kept: list[Kept],
        online: list[Any],
        offline: list[Any],
    ) -> None:
        if same.all():
            return
        self.found.unequal_features[name] += int((~same).sum())
        for row in np.flatnonzero(~same)[: _EXAMPLES - len(self.found.examples)].tolist():
            self.found.examples.append(
                f"{kept[row].flight_id}: {name} is {online[row]} online, and {offline[row]} "
                "in the feature table"
            )


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
    split = TrafficSplit(ServedModel(model, None, 0))
    network = msgspec.msgpack.decode(part.network, type=Network)
    now = [0]
    core = Predictor(
        split=lambda: split, network=lambda: network, online=store, clock=lambda: now[0]
    )
    contract = model.contract
    flights = list(flight_facts(_read(part, FLIGHTS)))
    asked = [f for f in flights if part.since <= _asked_at(f, contract) < part.until]
    asked.sort(key=lambda facts: _asked_at(facts, contract))
    events = _events(part, flights)
    comparison = Comparison(_read(part, EXPECTED), contract)
    advance_watermark(store, 0, horizon_min=contract.horizon_min)
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


_TOLD_SECONDS: Final = 30


class SkewError(OntimeError):
    """Online and offline are not equal."""


def prove_no_skew(context: RunContext, *, processes: int = 2) -> None:
    """Run the pipeline if nothing is released, replay all flights, print and write what was found.

    Args:
        context: What every stage is given.
        processes: How many, each for a part of the time.

    Raises:
        SkewError: A flight differs.
    """
    if read_release(context.artifacts) is None:
        run_pipeline(context)
    stored = read_release(context.artifacts)
    champion = None if stored is None else stored.document.champion
    if champion is None:
        raise SkewError("No version is the champion: let one be promoted first (`make run`).")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ontime-skew-proof-") as folder:
        parts = _prepared(context, Path(folder), champion, processes)
        context.console.step(f"replaying in {len(parts)} processes")
        found = _replayed(parts, context.console.step)
    seconds = time.perf_counter() - started
    _report(context, found, seconds)
    if found.equal.total() != found.flights.total():
        raise SkewError(
            f"{found.flights.total() - found.equal.total():,} flights differ: the features named "
            "above have two definitions; compare features/offline/kernel.py with "
            "features/online/lookup_plan.py."
        )


def _prepared(
    context: RunContext, folder: Path, champion: ReleasedVersion, processes: int
) -> list[ReplayPart]:
    """Write what the processes read, and return their parts of the time."""
    tables, settings = context.tables, context.settings
    flights = tables.read("silver_flights")
    network = network_of(flights, tables.read("silver_airports"))
    silver = flights.select(*FLIGHT_COLUMNS).orderBy(c.FLIGHT_ID).toArrow()
    weather = tables.read("silver_weather").select(*WEATHER_COLUMNS).toArrow()
    gold = context.outputs("build_features")
    expected = tables.read(str(gold["table"]), int(gold["version"])).toArrow()
    context.console.step(f"scoring {len(expected):,} flights of the feature table")
    expected = _with_probabilities(context, expected, champion.version)
    for name, table in ((FLIGHTS, silver), (WEATHER, weather), (EXPECTED, expected)):
        with (
            pa.OSFile(str(folder / name), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as out,
        ):
            out.write_table(table)
    at = np.sort(to_minutes(expected[c.PREDICTION_TIME]))
    cuts = [int(at[len(at) * part // processes]) for part in range(processes)]
    return [
        ReplayPart(
            folder=str(folder),
            since=since,
            until=until,
            store_uri=artifact_store_uri(settings.serving, settings.home),
            model=settings.serving.model_name,
            version=champion.version,
            network=msgspec.msgpack.encode(network),
        )
        for since, until in zip(cuts, [*cuts[1:], int(at[-1]) + 1], strict=True)
    ]


def _with_probabilities(context: RunContext, gold: pa.Table, version: str) -> pa.Table:
    """Return the feature table with the probabilities of the scikit-learn model."""
    model, _, contract = load_models(context.tracking, context.registry.get(version).run_id)
    order = [(c.SCHEDULED_DEPARTURE, "ascending"), (c.FLIGHT_ID, "ascending")]
    gold = gold.sort_by(order)
    labels = pc.fill_null(gold[c.LABEL], 0)  # flights that did not arrive are scored too
    at = gold.schema.get_field_index(c.LABEL)
    features = selected(spec.name for spec in contract.features)
    sample = to_sample(gold.set_column(at, c.LABEL, labels), features)
    found = pa.array(model.probabilities(sample.features))
    return gold.append_column(PROBABILITY, found)


def _replayed(parts: list[ReplayPart], step: Callable[[str], None]) -> Replayed:
    found = Replayed()
    spawned = multiprocessing.get_context("spawn")
    flights = spawned.Value("q", 0)
    with ProcessPoolExecutor(
        len(parts), mp_context=spawned, initializer=tell, initargs=(flights,)
    ) as pool:
        replayed = [pool.submit(replay, part) for part in parts]
        while wait(replayed, timeout=_TOLD_SECONDS).not_done:
            step(f"{flights.value:,} flights replayed")
        for each in replayed:
            found.add(each.result())
    return found


def _report(context: RunContext, found: Replayed, seconds: float) -> None:
    flights, equal = found.flights.total(), found.equal.total()
    say = context.console.say
    say("month      flights     equal")
    for month, count in sorted(found.flights.items()):
        say(f"{month}  {count:9,} {found.equal[month]:9,}")
    say(f"in all   {flights:9,} {equal:9,}   {found.events:,} events, {seconds:.0f} s")
    for name, count in found.unequal_features.most_common():
        say(f"  {name}: not the same for {count:,} flights")
    for example in found.examples:
        say(f"  {example}")
    say(
        f"{found.features} features; greatest difference of a probability: {found.max_difference:g}"
    )
    figures: dict[str, float | str | bool] = {
        "flights": flights,
        "equal": equal,
        "max_difference": found.max_difference,
        "features": found.features,
        "unequal_features": len(found.unequal_features),
        "events": found.events,
        "seconds": round(seconds, 1),
    }
    say(f"figures: {write_figures(context.settings.home, 'skew-proof', figures)}")
