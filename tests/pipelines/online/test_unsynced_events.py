"""Filling the store from silver does not undo what events told and silver does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.declare import columns as c
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.items_from_silver import flight_facts, online_items, weather_facts
from pipelines.online.materialize import tell_open_flights
from pipelines.online.unsynced_events import Untold
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
    untold = Untold(list(flight_facts(known)), list(weather_facts(seen)))
    store.put_many(untold.kept(dict(online_items(known, seen, retain_days=9)), store))
    untold.add_up(store)
    tell_open_flights(store, known, seen, horizon_min=120)


def read(store: SqliteOnlineStore) -> dict[str, bytes]:
    rows = store._connection.execute("SELECT key, body FROM online_items").fetchall()
    told = {key: body for key, body in rows if ":" not in key}  # what is read, not what was heard
    return {key: body for key, body in told.items() if "@" in key or "#" in key}


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
    assert read(store) == read(whole)
    store.close()
    whole.close()


def test_what_silver_no_longer_has_goes(tmp_path: Path) -> None:
    # Given a store with a flight of long ago, which silver has corrected since
    store, whole = SqliteOnlineStore(tmp_path / "a.db"), SqliteOnlineStore(tmp_path / "b.db")
    kept = [a_flight(n * DAY + 700, n + 1) for n in range(8)]
    fill(store, [*kept, a_flight(750, 99)], [])
    # When it is filled from silver without it / Then it is gone
    fill(store, kept, [])
    fill(whole, kept, [])
    assert read(store) == {**read(store), **read(whole)}
    assert store.get_many(["all@2013-03-01"]) == whole.get_many(["all@2013-03-01"])
    store.close()
    whole.close()


def test_few_days_retained_and_told_again_stay_the_same(tmp_path: Path) -> None:
    # Given weeks of flights at all hours, of which a state is to answer for one day
    known = flights_table([a_flight(n * 200 + 7, n + 1) for n in range(290)])
    seen = weather_table([weather_row(n * 700) for n in range(80)])
    items = dict(online_items(known, seen, retain_days=1))
    store = SqliteOnlineStore(tmp_path / "a.db")
    store.put_many(items)
    # When the flights that events may still change are told to it
    tell_open_flights(store, known, seen, horizon_min=120)
    # Then nothing changes, for all of it is there
    assert read(store) == items
    store.close()
