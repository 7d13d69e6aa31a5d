from __future__ import annotations

import datetime as dt
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc
import pytest

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.online.event_resolution import events_of_flight
from features.online.flight_events import Arrived
from features.online.item_keys import rows_suffix
from features.online.items_from_silver import flight_facts, online_items
from pipelines.online.materialize import (
    MATERIALIZED_KEY,
    materialize,
    network_of,
    sync_open_flights,
)
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.tables.delta_tables import TableMissingError
from pipelines.tables.table_reader import TableReader
from serving.online.network import read_network
from serving.online.online_state import OnlineState, read_watermark
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.real_weeks import real_weeks
from tests.pipelines.made_tables import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa
    from pyspark.sql import SparkSession

    from pipelines.tables.delta_tables import Tables

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LAST_DAYS = dt.datetime(2013, 11, 6, tzinfo=dt.UTC)


@pytest.fixture
def silver(spark: SparkSession, tables: Tables) -> tuple[pa.Table, pa.Table]:
    """Write the last days of a real world as silver tables, and return flights and weather."""
    world = real_weeks()
    flights = world.flights.filter(pc.field(c.SCHEDULED_DEPARTURE) >= LAST_DAYS)
    weather = world.weather.filter(pc.field(c.KNOWN) >= LAST_DAYS)
    flights, weather = flights.select(FLIGHT_COLUMNS), weather.select(WEATHER_COLUMNS)
    for name, table in {"silver_flights": flights, "silver_weather": weather}.items():
        frame = spark.createDataFrame(table)
        tables.replace(name, frame, description="test")
    airports = [("JFK", "America/New_York"), ("LAX", "America/Los_Angeles"), ("XXX", None)]
    frame = spark.createDataFrame(airports, "airport STRING, timezone STRING")
    tables.replace("silver_airports", frame, description="test")
    return flights, weather


@pytest.mark.spark
def test_the_online_store_holds_the_items_of_silver_and_the_network(
    silver: tuple[pa.Table, pa.Table], reader: TableReader, tmp_path: Path
) -> None:
    # Given silver tables
    flights, weather = silver
    expected = dict(online_items(flights, weather, retain_days=2, horizon_min=120))
    # When they are materialized twice
    with closing(SqliteOnlineStore(tmp_path / "serving.db")) as store:
        counts = {materialize(reader, store, retain_days=2, horizon_min=120) for _ in range(2)}
        # Then the store has every item once, and the airports and routes
        assert counts == {len(expected)}
        assert store.get_many(expected) == expected
        network = read_network(store)
    assert network.time_zones == {"JFK": "America/New_York", "LAX": "America/Los_Angeles"}
    assert network.origins == ["EWR", "JFK", "LGA"]
    assert network.distances_mi["JFK-LAX"] == 2475
    assert network.earlier_mi == {}
    last = max(flights[c.SCHEDULED_DEPARTURE].to_pylist())
    assert network.covered_from == int(last.timestamp()) // 60 - 2 * MINUTES_PER_DAY


def test_events_and_silver_make_one_state(tmp_path: Path) -> None:
    # Given a state that is synced with silver's last days
    world = real_weeks()
    flights = world.flights.filter(pc.field(c.SCHEDULED_DEPARTURE) >= LAST_DAYS)
    weather = world.weather.filter(pc.field(c.KNOWN) >= LAST_DAYS).select(WEATHER_COLUMNS)
    flights = flights.select(FLIGHT_COLUMNS).slice(0, 600)
    stories = [events_of_flight(facts) for facts in flight_facts(flights)]
    with closing(SqliteOnlineStore(tmp_path / "a.db")) as store:
        sync_open_flights(store, flights, weather, horizon_min=60)
        # When a flight's last event is corrected, and the pipeline syncs silver's days again
        last = next(story[-1] for story in reversed(stories) if isinstance(story[-1], Arrived))
        moved = msgspec.structs.replace(last, at=last.at + 9, reported_at=last.reported_at + 1)
        OnlineState(store).apply([moved])
        corrected = store.get_many([f"all{rows_suffix(moved.at // 1440, 1440)}"])
        sync_open_flights(store, flights, weather, horizon_min=60)
        # Then the correction is not undone, and the state is for this horizon
        assert store.get_many(corrected) == corrected
        assert read_watermark(store).horizon_min == 60
    with closing(SqliteOnlineStore(tmp_path / "b.db")) as store:
        sync_open_flights(store, flights, weather, horizon_min=60)
        assert store.get_many(corrected) != corrected


def test_syncing_flights_of_silver_again_changes_no_row(tmp_path: Path) -> None:
    # Given items that were computed from silver, whose open flights begin in the middle of an hour
    world = real_weeks()
    since, end = (dt.datetime(2013, 11, day, 12, 29, tzinfo=dt.UTC) for day in (4, 9))
    at = pc.field(c.SCHEDULED_DEPARTURE)
    flights = world.flights.filter((at >= since) & (at <= end)).select(FLIGHT_COLUMNS)
    seen = pc.field(c.KNOWN)
    weather = world.weather.filter((seen >= since) & (seen <= end)).select(WEATHER_COLUMNS)
    items = dict(online_items(flights, weather, retain_days=5, horizon_min=120))
    with closing(SqliteOnlineStore(tmp_path / "serving.db")) as store:
        store.put_many(items)
        # When the events of the flights that are still open are applied
        sync_open_flights(store, flights, weather, horizon_min=120)
        # Then nothing changes: no flight was applied in part
        assert store.get_many(items) == items


def test_a_route_with_a_new_distance_has_its_earlier_one_too(home: Path) -> None:
    # Given a route whose distance is another one from March on
    moments = [(1, 1726), (60, 1726), (90, 1725)]
    route = {c.ORIGIN: "EWR", c.DESTINATION: "EGE"}
    flights = [
        route | {c.DISTANCE: miles, c.SCHEDULED_DEPARTURE: EPOCH + dt.timedelta(minutes=at)}
        for at, miles in moments
    ]
    write_table(home, "silver_flights", flights)
    write_table(home, "silver_airports", [{c.AIRPORT: "EWR", "timezone": "America/New_York"}])
    # When the network is made / Then both distances are known, with the minute of the change
    network = network_of(RunContext(load_settings("dev")).reader)
    assert (network.distances_mi, network.earlier_mi) == (
        {"EWR-EGE": 1725},
        {"EWR-EGE": [(90, 1726)]},
    )


class CountedStore(SqliteOnlineStore):
    """An online store that records which items are written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written: set[str] = set()

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self.written |= items.keys()
        super().put_many(items)

    def replace_many(self, changes: Mapping[str, tuple[bytes, str | None]]) -> set[str]:
        self.written |= changes.keys()
        return super().replace_many(changes)


def write_silver(home: Path, until: dt.datetime) -> dict[str, bytes]:
    """Write silver as of an instant without Spark, and return its items."""
    world = real_weeks()
    at, seen = pc.field(c.SCHEDULED_DEPARTURE), pc.field(c.KNOWN)
    flights = world.flights.filter((at >= LAST_DAYS) & (at < until)).select(FLIGHT_COLUMNS)
    weather = world.weather.filter((seen >= LAST_DAYS) & (seen < until)).select(WEATHER_COLUMNS)
    write_table(home, "silver_flights", flights.to_pylist())
    write_table(home, "silver_weather", weather.to_pylist())
    write_table(home, "silver_airports", [{c.AIRPORT: "JFK", "timezone": "America/New_York"}])
    return dict(online_items(flights, weather, retain_days=2, horizon_min=120))


def test_only_what_changed_is_written(home: Path, tmp_path: Path) -> None:
    # Given a store that was filled from silver
    before = write_silver(home, LAST_DAYS + dt.timedelta(days=3))
    reader = RunContext(load_settings("dev")).reader
    with closing(CountedStore(tmp_path / "a.db")) as store:
        fill = partial(materialize, reader, store, retain_days=2, horizon_min=120)
        fill(made_from="first")
        assert before.keys() <= store.written
        store.written.clear()
        # When it is filled from the same again, Then nothing is written
        assert fill(made_from="first") == len(before)
        assert store.written == set()
        # And where it is filled in any case, only the record of that
        assert fill() == len(before)
        assert store.written <= {MATERIALIZED_KEY, "network"}
        # When a day is added
        store.written.clear()
        now = write_silver(home, LAST_DAYS + dt.timedelta(days=4))
        fill(made_from="second")
        # Then items that did not change are not written again, and all are as they should be
        same = {key for key, body in now.items() if before.get(key) == body}
        assert len(same) > 100
        assert not same & store.written
        assert store.get_many(now) == now


def test_a_store_whose_filling_was_interrupted_is_filled_again(home: Path, tmp_path: Path) -> None:
    # Given a store that was filled
    items = write_silver(home, LAST_DAYS + dt.timedelta(days=2))
    reader = RunContext(load_settings("dev")).reader
    with closing(SqliteOnlineStore(tmp_path / "a.db")) as store:
        materialize(reader, store, retain_days=2, horizon_min=120, made_from="first")
        # When filling it from something else is interrupted
        key = next(iter(items))
        missing = TableReader(str(tmp_path), lambda: pytest.fail("Spark was asked"))
        with pytest.raises(TableMissingError):
            materialize(missing, store, retain_days=2, horizon_min=120, made_from="second")
        store.put_many({key: b"partly"})
        # Then it is filled again from the first
        materialize(reader, store, retain_days=2, horizon_min=120, made_from="first")
        assert store.get_many(items) == items
