"""Materializes the online store from silver: items of every entity key, and the network."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.flight_events import known_minute, merge_events, subject_key
from features.online.items_from_silver import DAYS_NEEDED, flight_facts, online_items, weather_facts
from pipelines.online.unsynced_events import UnsyncedEvents
from pipelines.tables.table_reader import Period
from serving.online.network import Network, write_network
from serving.online.online_state import (
    OPEN_DAYS,
    OnlineState,
    fill_watermark,
    heal_watermark,
    read_watermark,
)
from serving.schema.clock import MS_PER_MINUTE, now_ms
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from features.online.flight_events import Event
    from pipelines.tables.table_reader import TableReader
    from serving.stores.online.protocol import OnlineStore

_Value = TypeVar("_Value")

BATCH = 2_000
FLIGHTS, WEATHER = "silver_flights", "silver_weather"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MATERIALIZED_KEY = "materialized"
_SINCE, _ZONE = "since", "timezone"


class Materialized(msgspec.Struct, frozen=True):
    """What the online store was filled from; one item of the store.

    Attributes:
        made_from: Fingerprint of silver, code and settings; empty while the store is being filled.
        items: How many items follow from it.
    """

    made_from: str = ""
    items: int = 0


_MATERIALIZED = msgspec.msgpack.Decoder(Materialized)


def materialize(
    tables: TableReader,
    store: OnlineStore,
    *,
    retain_days: int,
    horizon_min: int,
    made_from: str = "",
) -> int:
    """Fill the online store from the silver tables; return how many items follow from them.

    Items that are in the store as they should be are not written again.

    Args:
        tables: Where silver is.
        store: The online store; items of keys that are in silver are replaced.
        retain_days: For how many days before the end of the data features can be asked for.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        made_from: Fingerprint of all that decides the items: a store that was filled from the same
            is left as it is, for events have only added to it. Empty: it is filled in any case.
    """
    now = now_ms() // MS_PER_MINUTE
    if made_from:
        found = store.read_many([MATERIALIZED_KEY]).get(MATERIALIZED_KEY)
        before = Materialized() if found is None else _MATERIALIZED.decode(found.body)
        if before.made_from == made_from:
            heal_watermark(store, now)
            return before.items
    _remember(store, Materialized())
    # A schedule ahead, or a row of a wrong year, does not move the days that are kept.
    instant = dt.datetime.fromtimestamp(now * 60, tz=dt.UTC)
    last = tables.newest(FLIGHTS, c.SCHEDULED_DEPARTURE, until=instant)
    since = None if last is None else last - dt.timedelta(days=retain_days + DAYS_NEEDED)
    known = tables.rows(FLIGHTS, FLIGHT_COLUMNS, period=Period(c.SCHEDULED_DEPARTURE, since))
    seen = tables.rows(WEATHER, WEATHER_COLUMNS, period=Period(c.KNOWN, since))
    items = online_items(known, seen, retain_days=retain_days, horizon_min=horizon_min, now=now)
    unsynced = UnsyncedEvents(list(flight_facts(known)), list(weather_facts(seen)), now=now)
    stored = 0
    for batch in _batches(items):
        changed = unsynced.carry_over(batch, store)
        if changed:
            store.put_many(changed)
        stored += len(batch)
    unsynced.update_sums(store)
    sync_open_flights(store, known, seen, horizon_min=horizon_min, now=now)
    covered_from = _covered_from(last, retain_days)
    write_network(store, msgspec.structs.replace(network_of(tables), covered_from=covered_from))
    _remember(store, Materialized(made_from, stored))
    return stored


def _remember(store: OnlineStore, filled: Materialized) -> None:
    store.put_many({MATERIALIZED_KEY: msgspec.msgpack.encode(filled)})


def _covered_from(last: dt.datetime | None, retain_days: int) -> int:
    """Return the first minute for whose flights features are held."""
    if last is None:
        return 0
    return int(last.timestamp()) // 60 - retain_days * MINUTES_PER_DAY


def sync_open_flights(
    store: OnlineStore,
    flights: pa.Table,
    weather: pa.Table,
    *,
    horizon_min: int,
    now: int | None = None,
) -> None:
    """Apply the events that silver has of open flights: those that later events may still change.

    Later events are merged with them; so are earlier ones that silver does not have. A flight whose
    event set is silver's already is left as it is: its rows are those of silver. A watermark that
    events have moved too far is set back to the end of the tables.

    Args:
        store: Where the state is.
        flights: Rows of silver_flights.
        weather: Rows of silver_weather.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        now: The minute that it is; None: by the clock.
    """
    now = now_ms() // MS_PER_MINUTE if now is None else now
    instant = pa.scalar(dt.datetime.fromtimestamp(now * 60, tz=dt.UTC))
    past = flights.filter(pc.field(c.SCHEDULED_DEPARTURE) <= instant)
    last = pc.max(past[c.SCHEDULED_DEPARTURE]).as_py() or _EPOCH
    since = last - dt.timedelta(days=OPEN_DAYS)
    open_flights = flights.filter(pc.field(c.SCHEDULED_DEPARTURE) >= since)
    recent = weather.filter(pc.field(c.KNOWN) >= since)
    events = [event for facts in flight_facts(open_flights) for event in events_of_flight(facts)]
    events += map(event_of_observation, weather_facts(recent))
    end = int(last.timestamp()) // 60
    # The watermark first, so that no flight becomes too late between two of its events.
    newest = max([end, *(minute for minute in map(known_minute, events) if minute <= now)])
    before = fill_watermark(store, newest, horizon_min=horizon_min, now=now)
    if read_watermark(store).newest < before.newest:
        log(logging.WARNING, "watermark_healed", ahead_minutes=before.newest - newest)
    state = OnlineState(store)
    events = list(_not_stored(store, events))
    for first in range(0, len(events), BATCH):
        state.apply(events[first : first + BATCH])


def _not_stored(store: OnlineStore, events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events of each subject whose event set in the store is not exactly these."""
    by_subject: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_subject[subject_key(event)].append(event)
    for some in _batches(by_subject.items()):
        stored = store.get_many(some)
        for subject, story in some.items():
            if stored.get(subject) != merge_events(None, story):
                yield from story


def network_of(tables: TableReader) -> Network:
    """Return the airports with a known time zone, the origins, and the distances of each route."""
    zones = tables.rows("silver_airports", (c.AIRPORT, _ZONE), known=_ZONE).sort_by(c.AIRPORT)
    route = (c.ORIGIN, c.DESTINATION, c.DISTANCE)
    flown = tables.rows(FLIGHTS, (*route, c.SCHEDULED_DEPARTURE), known=c.DISTANCE)
    since = flown.group_by(route).aggregate([(c.SCHEDULED_DEPARTURE, "min")])
    since = since.rename_columns({f"{c.SCHEDULED_DEPARTURE}_min": _SINCE})
    order = (c.ORIGIN, c.DESTINATION, _SINCE, c.DISTANCE)
    known = since.sort_by([(name, "ascending") for name in order]).to_pylist()
    distances: dict[str, int] = {}
    earlier: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in known:
        key = f"{row[c.ORIGIN]}-{row[c.DESTINATION]}"
        if key in distances:
            earlier[key].append((int(row[_SINCE].timestamp()) // 60, distances[key]))
        distances[key] = row[c.DISTANCE]
    return Network(
        time_zones=dict(zip(zones[c.AIRPORT].to_pylist(), zones[_ZONE].to_pylist(), strict=True)),
        origins=sorted({row[c.ORIGIN] for row in known}),
        distances_mi=distances,
        earlier_mi=dict(earlier),
    )


def _batches(items: Iterable[tuple[str, _Value]]) -> Iterator[dict[str, _Value]]:
    remaining = iter(items)
    while batch := dict(islice(remaining, BATCH)):
        yield batch
