from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from features.declare import columns as c
from pipelines.reports.table_reader import TableReader
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.tables.delta_tables import Tables
from tests.pipelines.made_tables import INGESTED, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
ROWS = [
    {c.AIRPORT: "JFK", c.OBSERVED: NOON, c.INGESTED: INGESTED},
    {c.AIRPORT: "JFK", c.OBSERVED: NOON + dt.timedelta(hours=13), c.INGESTED: INGESTED},
    {c.AIRPORT: "EWR", c.OBSERVED: NOON + dt.timedelta(hours=1), c.INGESTED: INGESTED},
]


def validate_answers(reader: TableReader) -> None:
    # Given a table / Then each question about it has its answer
    assert reader.names() == ["silver_weather"]
    assert not reader.exists("silver_flights")
    assert reader.count("silver_weather") == 3
    assert set(reader.columns("silver_weather")) == set(ROWS[0])
    assert reader.counts("silver_weather", c.AIRPORT) == {"JFK": 2, "EWR": 1}
    days = {dt.date(2013, 1, 1): 2, dt.date(2013, 1, 2): 1}
    assert reader.counts("silver_weather", c.OBSERVED) == days
    assert reader.newest("silver_weather", c.INGESTED) == INGESTED
    assert reader.rows("silver_weather", [c.AIRPORT]).num_rows == 3


def test_tables_on_this_disk_are_read_without_spark(home: Path) -> None:
    # Given a table on this disk / When it is read
    write_table(home, "silver_weather", ROWS)
    context = RunContext(load_settings("dev"))
    validate_answers(TableReader(context))
    # Then no session was built for it
    assert "spark" not in context.__dict__


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
        validate_answers(TableReader(context))
    finally:
        spark.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
