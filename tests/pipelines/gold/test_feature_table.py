"""The feature table with Arrow and by Spark: the same content, whole or a range at a time."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.declare import columns as c
from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.gold.feature_table import FLIGHTS, WEATHER, write_features
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.tables.commit_metadata import (
    GoldCommit,
    SilverVersion,
    days_of_ranges,
    from_description,
)
from pipelines.tables.delta_tables import Tables
from tests.features.factories import flights_table, random_days, weather_table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


pytestmark = pytest.mark.spark

GOLD = "gold_features_h120"
COMMIT = GoldCommit(SilverVersion(0, None), SilverVersion(0, None), "code")
RANGE = DayRange(dt.date(2013, 4, 10), dt.date(2013, 4, 12))
OF_RANGE = msgspec.structs.replace(COMMIT, days=days_of_ranges((RANGE,)))


@pytest.fixture(scope="module")
def silver() -> tuple[pa.Table, pa.Table]:
    flights, weather = random_days(50)
    return flights_table(flights), weather_table(weather)


@pytest.fixture(scope="module")
def silver_tables(
    spark: SparkSession,
    silver: tuple[pa.Table, pa.Table],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Silver tables, of which Spark wrote the files: only copied."""
    folder = tmp_path_factory.mktemp("silver") / "tables"
    for name, table in zip((FLIGHTS, WEATHER), silver, strict=True):
        Tables(spark, str(folder)).replace(name, spark.createDataFrame(table), description="silver")
    return folder


@pytest.fixture
def context(silver_tables: Path, tables: Tables, spark: SparkSession, home: Path) -> RunContext:
    """A context with silver tables."""
    shutil.copytree(silver_tables, home / "tables")
    return RunContext(load_settings()).using(spark=spark, tables=tables)


def by_spark(context: RunContext) -> RunContext:
    settings = context.settings
    tables = settings.tables.model_copy(update={"columnar": False})
    return replace(context, settings=settings.model_copy(update={"tables": tables}))


def test_both_ways_write_the_same_content(context: RunContext, tables: Tables) -> None:
    # Given silver tables / When every day is written with Arrow, and a range of days by Spark
    write_features(context, GOLD, days=(EVERY_DAY,), commit=COMMIT)
    write_features(by_spark(context), GOLD, days=(RANGE,), commit=OF_RANGE)
    contents = [tables.content_hash(GOLD, version) for version in (0, 1)]
    # Then the content is the same, bit for bit, in a commit with its metadata
    assert contents[0] == contents[1]
    assert from_description(GoldCommit, tables.description(GOLD)) == OF_RANGE
    assert tables.count(GOLD) == 500


def test_late_data_in_a_range_gives_what_a_rebuild_gives(
    context: RunContext, tables: Tables, spark: SparkSession, silver: tuple[pa.Table, pa.Table]
) -> None:
    # Given a feature table, after which a flight is found to have been late
    write_features(context, GOLD, days=(EVERY_DAY,), commit=COMMIT)
    flights = silver[0]
    day = flights[c.FLIGHT_DATE].to_pylist()[-1]
    late = pc.if_else(
        pc.equal(flights[c.FLIGHT_DATE], pa.scalar(day)), 99, flights[c.DEPARTURE_DELAY]
    )
    position = flights.column_names.index(c.DEPARTURE_DELAY)
    corrected = flights.set_column(position, c.DEPARTURE_DELAY, late.cast(pa.int32()))
    tables.replace(FLIGHTS, spark.createDataFrame(corrected), description="late")
    # When its day is written again, and then every day
    late_commit = GoldCommit(SilverVersion(1, None), COMMIT.weather, "code")
    first = flights[c.FLIGHT_DATE].to_pylist()[0]
    ranges = (DayRange(first, first), DayRange(day, None))
    write_features(context, GOLD, days=ranges, commit=late_commit)
    repaired = tables.content_hash(GOLD)
    write_features(context, GOLD, days=(EVERY_DAY,), commit=late_commit)
    # Then the content is the same
    assert repaired == tables.content_hash(GOLD)
