from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import fs

from features.declare import columns as c
from pipelines.reports.freshness import table_names
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.tables.delta_tables import TableMissingError, Tables
from pipelines.tables.locations import local_folder
from pipelines.tables.table_reader import Period, files_of
from tests.pipelines.made_tables import INGESTED, write_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
ROWS = [
    {c.AIRPORT: "JFK", c.OBSERVED: NOON, c.INGESTED: INGESTED, "wind": None},
    {
        c.AIRPORT: "JFK",
        c.OBSERVED: NOON + dt.timedelta(hours=13),
        c.INGESTED: INGESTED,
        "wind": None,
    },
    {c.AIRPORT: "EWR", c.OBSERVED: NOON + dt.timedelta(hours=1), c.INGESTED: INGESTED, "wind": 4.5},
]


def validate_answers(context: RunContext) -> None:
    # Given a table / Then each question about it has its answer
    assert table_names(context) == ["silver_weather"]
    reader = context.reader
    assert not reader.exists("silver_flights")
    assert reader.count("silver_weather") == 3
    assert set(reader.columns("silver_weather")) == set(ROWS[0])
    assert reader.counts("silver_weather", c.AIRPORT) == {"JFK": 2, "EWR": 1}
    days = {dt.date(2013, 1, 1): 2, dt.date(2013, 1, 2): 1}
    assert reader.counts("silver_weather", c.OBSERVED) == days
    assert reader.newest("silver_weather", c.INGESTED) == INGESTED
    at = NOON + dt.timedelta(hours=2)
    assert reader.newest("silver_weather", c.OBSERVED, until=at) == NOON + dt.timedelta(hours=1)
    assert reader.rows("silver_weather", [c.AIRPORT]).num_rows == 3
    for since, until, airports in (
        (NOON + dt.timedelta(hours=1), None, ["EWR", "JFK"]),
        (None, NOON + dt.timedelta(hours=1), ["JFK"]),
        (NOON, NOON + dt.timedelta(hours=13), ["EWR", "JFK"]),
    ):
        period = Period(c.OBSERVED, since, until)
        found = reader.rows("silver_weather", [c.AIRPORT, c.OBSERVED], period=period)
        assert sorted(found[c.AIRPORT].to_pylist()) == airports
        assert found.schema.field(c.OBSERVED).type == pa.timestamp("us", tz="UTC")
    measured = reader.rows("silver_weather", [c.AIRPORT, "wind"], known="wind")
    assert measured.to_pylist() == [{c.AIRPORT: "EWR", "wind": 4.5}]
    assert reader.version("silver_weather") == 0
    with pytest.raises(TableMissingError, match=r"no version 7 .* last is 0"):
        reader.rows("silver_weather", [c.AIRPORT], version=7)
    with pytest.raises(TableMissingError, match=r"gold does not exist .*make run"):
        reader.count("gold")


def test_tables_on_this_disk_are_read_without_spark(home: Path) -> None:
    # Given a table on this disk / When it is read
    write_table(home, "silver_weather", ROWS)
    context = RunContext(load_settings("dev"))
    validate_answers(context)
    # Then no session was built for it
    assert "spark" not in context.__dict__


def test_no_thread_of_arrow_reads_through_python(home: Path) -> None:
    # Given a table on this disk, Then its files are read by Arrow's own file system: a thread that
    # releases Python objects while the interpreter ends would abort the process
    write_table(home, "silver_weather", ROWS)
    reader = RunContext(load_settings("dev")).reader
    files = files_of(reader.uri("silver_weather"))
    assert isinstance(files, fs.SubTreeFileSystem)
    assert isinstance(files.base_fs, fs.LocalFileSystem)
    assert files_of("s3://bucket/tables/silver_weather") is None


@pytest.mark.spark
def test_in_a_catalog_spark_reads(spark: SparkSession, home: Path) -> None:
    # Given a table of a catalog, whose files this process does not open
    write_table(home, "silver_weather", ROWS)
    schema, folder = "spark_catalog.ontime_reader", home / "tables" / "silver_weather"
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    spark.sql(f"CREATE TABLE {schema}.silver_weather USING DELTA LOCATION '{folder}'")
    settings, uri = load_settings("dev"), f"catalog:{schema}"
    settings = settings.model_copy(
        update={"tables": settings.tables.model_copy(update={"uri": uri})}
    )
    context = RunContext(settings).using(spark=spark, tables=Tables(spark, uri))
    try:
        # When it is read / Then the answers are the same
        validate_answers(context)
    finally:
        spark.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.mark.parametrize(
    ("uri", "folder"),
    [("/a/b", Path("/a/b")), ("file:/a/b", Path("/a/b")), ("s3://a/b", None), ("dbfs:/a", None)],
)
def test_only_a_table_on_this_machine_has_a_folder(uri: str, folder: Path | None) -> None:
    assert local_folder(uri) == folder
