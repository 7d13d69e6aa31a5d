"""The engines are oracles of each other: all of them write the same table."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from benchmarks import tables
from benchmarks.features_bench import ENGINES, ONTIME
from benchmarks.work import FEATURES, NAMES
from benchmarks.years import write_years
from features.declare import columns as c

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PEERS = [engine for engine in ENGINES if engine != ONTIME]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("years")
    write_years(folder, years=1, days=33)
    return folder


@pytest.fixture(scope="module")
def ours(spark: SparkSession, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert spark is not None  # the engine takes the active session
    folder: Path = tmp_path_factory.mktemp("ours") / "gold"
    run(ONTIME, source, folder)
    return folder


def run(engine: str, source: Path, target: Path) -> None:
    pytest.importorskip("duckdb") if engine == "duckdb_engine" else None
    importlib.import_module(f"benchmarks.engines.{engine}").run(source, target)


@pytest.mark.parametrize("engine", PEERS)
def test_an_engine_writes_the_table_that_ontime_writes(
    engine: str, source: Path, ours: Path, tmp_path: Path
) -> None:
    # Given 33 days of flights / When a peer does the work
    run(engine, source, tmp_path / "theirs")
    # Then its table is equal, row by row
    assert tables.differences(tables.written(ours), tables.written(tmp_path / "theirs")) == {}


def test_ontime_writes_every_flight_with_statistics(source: Path, ours: Path) -> None:
    # Given the table that Ontime wrote / Then it has every flight, and statistics of every file
    flights = pl.read_parquet(source / "silver_flights" / "*.parquet")
    table = tables.written(ours)
    assert set(table[c.FLIGHT_ID]) == set(flights[c.FLIGHT_ID])
    assert tables.has_statistics(ours)


@pytest.mark.parametrize(("column", "value"), [("leg_delay", 1e-6), (c.LABEL, 1)])
def test_a_difference_is_seen(ours: Path, column: str, value: Any) -> None:
    # Given a table in which one value is another
    table = tables.written(ours)
    row = table[column].is_not_null().arg_max() or 0
    changed = table.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.col(column) + value).otherwise(column)
    )
    # Then that column is named, with one row
    assert tables.differences(table, changed.select(table.columns)) == {column: 1}


def test_the_work_has_every_kind_of_input() -> None:
    # Given the features of the work / Then all kinds of inputs and windows are among them
    kinds = {type(item).__name__ for feature in FEATURES for item in feature.inputs}
    windows = {
        type(item.window).__name__
        for feature in FEATURES
        for item in feature.inputs
        if hasattr(item, "window")
    }
    assert kinds == {"Sum", "OpenIntervals", "Latest", "Own"}
    assert {"Minutes", "Days"} <= windows
    assert len(NAMES) >= 12
