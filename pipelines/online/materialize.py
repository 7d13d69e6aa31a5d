"""Materializes the online store from silver: items of every entity key, and the network."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.flight_events import known_minute
from features.online.items_from_silver import DAYS_NEEDED, flight_facts, online_items, weather_facts
from pipelines.online.unsynced_events import UnsyncedEvents
from pipelines.tables.table_reader import Period
from serving.online.network import Network, write_network
from serving.online.online_state import OPEN_DAYS, OnlineState, advance_watermark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from features.online.flight_events import Event
    from pipelines.tables.table_reader import TableReader
    from serving.stores.online.protocol import OnlineStore

BATCH = 2_000
FLIGHTS, WEATHER = "silver_flights", "silver_weather"
_SINCE, _ZONE = "since", "timezone"


def materialize(
    tables: TableReader, store: OnlineStore, *, retain_days: int, horizon_min: int
) -> int:
    """Fill the online store from the silver tables; return how many items were stored.

    Args:
        tables: Where silver is.
        store: The online store; items of keys that are in silver are replaced.
        retain_days: For how many days before the end of the data features can be asked for.
        horizon_min: Minutes from the prediction time to the scheduled departure.
    """
    last = tables.newest(FLIGHTS, c.SCHEDULED_DEPARTURE)
    since = None if last is None else last - dt.timedelta(days=retain_days + DAYS_NEEDED)
    known = tables.rows(FLIGHTS, FLIGHT_COLUMNS, period=Period(c.SCHEDULED_DEPARTURE, since))
    seen = tables.rows(WEATHER, WEATHER_COLUMNS, period=Period(c.KNOWN, since))
    items = online_items(known, seen, retain_days=retain_days, horizon_min=horizon_min)
    unsynced, stored = UnsyncedEvents(list(flight_facts(known)), list(weather_facts(seen))), 0
    for batch in _batches(items):
        store.put_many(unsynced.carry_over(batch, store))
        stored += len(batch)
    unsynced.update_sums(store)
    sync_open_flights(store, known, seen, horizon_min=horizon_min)
    covered_from = _covered_from(known, retain_days)
    write_network(store, msgspec.structs.replace(network_of(tables), covered_from=covered_from))
    return stored


def _covered_from(flights: pa.Table, retain_days: int) -> int:
    """Return the first minute for whose flights features are held."""
    last = pc.max(flights[c.SCHEDULED_DEPARTURE]).as_py()
    if last is None:
        return 0
    return int(last.timestamp()) // 60 - retain_days * MINUTES_PER_DAY


def sync_open_flights(
    store: OnlineStore, flights: pa.Table, weather: pa.Table, *, horizon_min: int
) -> None:
    """Apply the events that silver has of open flights: those that later events may still change.

    Later events are merged with them; so are earlier ones that silver does not have.

    Args:
        store: Where the state is.
        flights: Rows of silver_flights.
        weather: Rows of silver_weather.
        horizon_min: Minutes from the prediction time to the scheduled departure.
    """
    facts = list(flight_facts(flights))
    end = max((flight[c.SCHEDULED_DEPARTURE] for flight in facts), default=0)
    since = end - OPEN_DAYS * MINUTES_PER_DAY
    events: list[Event] = []
    for flight in facts:
        if flight[c.SCHEDULED_DEPARTURE] >= since:
            events += events_of_flight(flight)
    events += [
        event_of_observation(seen) for seen in weather_facts(weather) if seen[c.KNOWN] >= since
    ]
    # The watermark first, so that no flight becomes too late between two of its events.
    advance_watermark(store, max([end, *map(known_minute, events)]), horizon_min=horizon_min)
    state = OnlineState(store)
    for first in range(0, len(events), BATCH):
        state.apply(events[first : first + BATCH])


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


def _batches(items: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    remaining = iter(items)
    while batch := dict(islice(remaining, BATCH)):
        yield batch
