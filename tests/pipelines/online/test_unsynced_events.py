"""Filling the store from silver does not undo events that silver does not have yet."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from features.declare import columns as c
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.items_from_silver import flight_facts, online_items, weather_facts
from pipelines.online.materialize import sync_open_flights
from pipelines.online.unsynced_events import UnsyncedEvents
from serving.online.online_state import OnlineState
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.factories import flight, flights_table, weather_table
from tests.features.factories import observation as weather_row

if TYPE_CHECKING:
    from pathlib import Path

DAY = 1440


def a_flight(departs: int, number: int, **over: Any) -> dict[str, Any]:
    return flight(departs, delay=5, late=9, **{c.FLIGHT_NUMBER: number, **over})


def fill(store: SqliteOnlineStore, flights: list[dict[str, Any]], weather: list[Any]) -> None:
    """Fill the store from silver, as the pipeline does."""
    known, seen = flights_table(flights), weather_table(weather)
    unsynced = UnsyncedEvents(list(flight_facts(known)), list(weather_facts(seen)))
    store.put_many(unsynced.carry_over(dict(online_items(known, seen, retain_days=9)), store))
    unsynced.update_sums(store)
    sync_open_flights(store, known, seen, horizon_min=120)


def items_in(path: Path) -> dict[str, bytes]:
    """Return rows and sums in the file of a store; not the state of open flights."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT key, body FROM online_items").fetchall()
    return {key: body for key, body in rows if ":" not in key and ("@" in key or "#" in key)}


def test_a_flight_that_silver_does_not_have_stays(tmp_path: Path) -> None:
    # Given a store that was filled, and events of flights and weather that silver has not
    old = [a_flight(n * DAY + 700, n + 1) for n in range(8)]
    new = [a_flight(7 * DAY + 800, 50), a_flight(8 * DAY + 60, 51)]
    weather, later = [weather_row(7 * DAY)], [weather_row(7 * DAY + 60)]
    store, whole = SqliteOnlineStore(tmp_path / "a.db"), SqliteOnlineStore(tmp_path / "b.db")
    fill(store, old, weather)
    for facts in flight_facts(flights_table(new)):
        OnlineState(store).apply(events_of_flight(facts))
    OnlineState(store).apply([event_of_observation(f) for f in weather_facts(weather_table(later))])
    # When it is filled from the same silver again
    fill(store, old, weather)
    # Then it is as if silver had all of it
    fill(whole, old + new, weather + later)
    assert items_in(tmp_path / "a.db") == items_in(tmp_path / "b.db")
    store.close()
    whole.close()


def test_a_flight_that_silver_no_longer_has_is_removed(tmp_path: Path) -> None:
    # Given a store with a flight of long ago, which silver has corrected since
    store, whole = SqliteOnlineStore(tmp_path / "a.db"), SqliteOnlineStore(tmp_path / "b.db")
    others = [a_flight(n * DAY + 700, n + 1) for n in range(8)]
    fill(store, [*others, a_flight(750, 99)], [])
    # When it is filled from silver without it / Then it is deleted
    fill(store, others, [])
    fill(whole, others, [])
    items = items_in(tmp_path / "a.db")
    assert items == {**items, **items_in(tmp_path / "b.db")}
    assert store.get_many(["all@2013-03-01"]) == whole.get_many(["all@2013-03-01"])
    store.close()
    whole.close()


def test_items_of_few_days_are_not_changed_by_open_flights(tmp_path: Path) -> None:
    # Given weeks of flights at all hours, of which a state is to answer for one day
    known = flights_table([a_flight(n * 200 + 7, n + 1) for n in range(290)])
    seen = weather_table([weather_row(n * 700) for n in range(80)])
    items = dict(online_items(known, seen, retain_days=1))
    store = SqliteOnlineStore(tmp_path / "a.db")
    store.put_many(items)
    # When its open flights are synced
    sync_open_flights(store, known, seen, horizon_min=120)
    # Then nothing changes, as silver has all of it
    assert items_in(tmp_path / "a.db") == items
    store.close()
