"""Some real days through the online path, event by event, beside the kernel's features."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.real_year import _ATLANTIC, package_csv
from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS, to_minutes
from features.declare import columns as c
from features.leaks.counterfactual import Dataset
from features.offline.feature_table import features_table
from pipelines.proofs.replay import EXPECTED, FLIGHTS, PROBABILITY, WEATHER, ReplayPart, replay
from serving.models.model_loader import open_scorer
from serving.online.network import Network
from serving.stores.artifacts.local import FolderArtifactStore
from tests.features.real_weeks import real_weeks
from tests.serving.support import HORIZON_MIN, MODEL_NAME, a_contract, a_model, publish

if TYPE_CHECKING:
    from pathlib import Path

SINCE = dt.datetime(2013, 11, 2, tzinfo=dt.UTC)  # clocks change on November 3
KNOWN_SINCE = dt.datetime(2013, 10, 25, tzinfo=dt.UTC)  # without the days before
UNTIL = dt.datetime(2013, 11, 5, tzinfo=dt.UTC)
ALWAYS = 0.25


def expected_of(world: Dataset, until: dt.datetime = UNTIL) -> pa.Table:
    """Return the feature table of these days, with the probability that a small model gives."""
    departure = to_minutes(world.flights[c.SCHEDULED_DEPARTURE])
    wanted = (departure >= minute(SINCE)) & (departure < minute(until))
    table = features_table(world.flights, world.weather, wanted, horizon_min=HORIZON_MIN)
    contract = a_contract()
    scorer = open_scorer(a_model(contract, ALWAYS), contract)
    rows = zip(*(table[spec.name].to_pylist() for spec in contract.features), strict=True)
    return table.append_column(PROBABILITY, pa.array(scorer.score([list(row) for row in rows])))


def known_since(since: dt.datetime) -> Dataset:
    """Return what is known without the days before."""
    world = real_weeks()
    return Dataset(
        world.flights.filter(pc.field(c.SCHEDULED_DEPARTURE) >= since),
        world.weather.filter(pc.field(c.KNOWN) >= since),
    )


def minute(at: dt.datetime) -> int:
    return int(at.timestamp()) // 60


def a_part(folder: Path, world: Dataset, expected: pa.Table) -> ReplayPart:
    """Write what a process reads, and return its part."""
    tables = {
        FLIGHTS: world.flights.select(FLIGHT_COLUMNS),
        WEATHER: world.weather.select(WEATHER_COLUMNS),
        EXPECTED: expected,
    }
    for name, table in tables.items():
        with (
            pa.OSFile(str(folder / name), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as out,
        ):
            out.write_table(table)
    publish(FolderArtifactStore(folder / "store"), "1", ALWAYS)
    return ReplayPart(
        folder=str(folder),
        since=minute(SINCE) - HORIZON_MIN,
        until=minute(UNTIL) - HORIZON_MIN,
        store_uri=str(folder / "store"),
        model=MODEL_NAME,
        version="1",
        network=msgspec.msgpack.encode(network()),
    )


def network() -> Network:
    """Return the network of the real flights."""
    zones = {
        row["faa"]: row["tzone"] for row in package_csv("airports.csv").to_dicts() if row["tzone"]
    }
    zones |= dict.fromkeys(_ATLANTIC, "America/Puerto_Rico")
    routes = real_weeks().flights.select([c.ORIGIN, c.DESTINATION, c.DISTANCE]).to_pylist()
    return Network(
        time_zones=zones,
        origins=["EWR", "JFK", "LGA"],
        distances_mi={f"{row[c.ORIGIN]}-{row[c.DESTINATION]}": row[c.DISTANCE] for row in routes},
    )


def test_three_days_with_a_change_of_clocks_are_equal(tmp_path: Path) -> None:
    # Given the flights of three days, and all events of them and of the days before
    world = known_since(KNOWN_SINCE)
    expected = expected_of(world)
    part = a_part(tmp_path, world, expected)
    # When each is requested at its prediction time, after the events until then
    found = replay(part)
    # Then every feature of every flight is the same, and so is its probability
    assert found.examples == []
    assert found.flights.total() == len(expected) == found.equal.total()
    assert found.flights.total() > 2500
    assert found.max_difference <= 1e-6
    assert found.events > 25_000


def test_a_difference_is_detected_and_named(tmp_path: Path) -> None:
    # Given a feature table in which one value of one flight is another one
    world = known_since(SINCE - dt.timedelta(days=1))
    hurt = expected_of(world, SINCE + dt.timedelta(days=1)).slice(0, 40)
    at = hurt.schema.get_field_index("overdue_count_all")
    values = hurt["overdue_count_all"].to_pylist()
    changed = pa.chunked_array([pa.array([values[0] + 1, *values[1:]], type=pa.float64())])
    hurt = hurt.set_column(at, "overdue_count_all", changed)
    part = a_part(tmp_path, world, hurt)
    first = int(to_minutes(hurt[c.PREDICTION_TIME]).min())
    # When the flights of its prediction time are replayed
    found = replay(dataclasses.replace(part, until=first + 1))
    # Then that flight differs, and the feature is named
    assert found.unequal_features == {"overdue_count_all": 1}
    assert found.equal.total() == found.flights.total() - 1
    assert "overdue_count_all is" in found.examples[0]
