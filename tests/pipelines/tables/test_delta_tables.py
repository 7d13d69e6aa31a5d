from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from pipelines.tables.delta_tables import TableMissingError, Tables, TableWriteError
from pipelines.tables.locations import local_folder, spark_path

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession


pytestmark = pytest.mark.spark


def _rows(spark: SparkSession, *rows: tuple[int, str | None]) -> DataFrame:
    frame = spark.createDataFrame(list(rows), "id int, name string")
    return frame.withColumn("ingested_at", F.current_timestamp())


def test_a_batch_is_appended_once_however_often_it_is_sent(
    spark: SparkSession, tables: Tables
) -> None:
    batch = _rows(spark, (1, "a"), (2, "b"))

    tables.append_once("t", batch, key="batch-1", description="first")
    tables.append_once("t", batch, key="batch-1", description="again")
    tables.append_once("t", _rows(spark, (3, "c")), key="batch-2", description="second")

    assert sorted(row.id for row in tables.read("t").collect()) == [1, 2, 3]
    assert tables.version("t") == 1
    assert tables.description("t") == "second"
    assert tables.count("t") == 3


def test_the_content_hash_sees_values_and_nothing_else(spark: SparkSession, tables: Tables) -> None:
    tables.replace("t", _rows(spark, (1, "a"), (2, None)), description="one order")
    tables.replace(
        "u", _rows(spark, (2, None), (1, "a")).select("name", "ingested_at", "id"), description=""
    )
    tables.replace("v", _rows(spark, (1, None), (2, "a")), description="other values")

    assert tables.content_hash("t") == tables.content_hash("u")
    assert tables.content_hash("t") != tables.content_hash("v")


def test_a_past_version_is_read_as_it_was(spark: SparkSession, tables: Tables) -> None:
    tables.replace("t", _rows(spark, (1, "a"), (2, "b")), description="first")
    before = tables.content_hash("t")

    tables.replace_where("t", _rows(spark, (2, "c")), predicate="id = 2", description="repair")

    assert {(row.id, row.name) for row in tables.read("t").collect()} == {(1, "a"), (2, "c")}
    assert tables.content_hash("t", version=0) == before
    with pytest.raises(TableMissingError, match=r"no version 9 .* last is 1"):
        tables.read("t", version=9)


def test_a_missing_table_is_named_with_the_way_out(tables: Tables) -> None:
    assert not tables.exists("gold")
    for ask in (tables.read, tables.version, tables.count, tables.content_hash):
        with pytest.raises(TableMissingError, match=r"Table gold does not exist .*make run"):
            ask("gold")


def test_a_folder_that_cannot_be_written_is_named(
    spark: SparkSession, tables: Tables, home: Path
) -> None:
    (home / "tables").write_text("a file where the folder should be")

    with pytest.raises(TableWriteError, match="Table t cannot be written to"):
        tables.replace("t", _rows(spark, (1, "a")), description="")


def test_tables_of_a_catalog_are_read_and_written_by_name(spark: SparkSession) -> None:
    # Given a schema of a catalog, as Unity Catalog has them
    spark.sql("CREATE SCHEMA IF NOT EXISTS spark_catalog.ontime_test")
    tables = Tables(spark, "catalog:spark_catalog.ontime_test")
    try:
        assert not tables.exists("flights")
        with pytest.raises(TableMissingError, match="flights does not exist"):
            tables.read("flights")
        # When
        tables.replace("flights", spark.range(3).toDF("n"), description="first")
        tables.append_once("flights", spark.range(3, 5).toDF("n"), key="a", description="second")
        tables.append_once("flights", spark.range(3, 5).toDF("n"), key="a", description="again")
        tables.replace_where(
            "flights", spark.range(0).toDF("n"), predicate="n = 0", description="third"
        )
        # Then
        assert tables.uri("flights") == "catalog:spark_catalog.ontime_test.flights"
        assert sorted(row["n"] for row in tables.read("flights").collect()) == [1, 2, 3, 4]
        assert tables.read("flights", 0).count() == 3
        assert tables.description("flights") == "third"
        assert local_folder(tables.uri("flights")) is None
    finally:
        spark.sql("DROP SCHEMA IF EXISTS spark_catalog.ontime_test CASCADE")


def test_the_last_change_is_found_past_upkeep_and_history_reaches_as_far_as_it_does(
    spark: SparkSession, tables: Tables
) -> None:
    # Given a table with two commits, after which its files are put together
    tables.replace("t", _rows(spark, (1, "a")), description="first")
    tables.append_once("t", _rows(spark, (2, "b")), key="b", description="second")
    spark.sql(f"OPTIMIZE delta.`{tables.uri('t')}`").collect()
    # Then the commits that changed rows are listed, the newest first
    assert tables.version("t") == 2
    assert tables.last_change("t").version == 1
    assert [commit.description for commit in tables.commits("t")] == ["second", "first"]
    assert [commit.version for commit in tables.commits_since("t", 0)] == [1, 0]
    assert [commit.version for commit in tables.commits_since("t", 1)] == [1]
    assert tables.commits_since("t", 5) == []
    assert tables.commits("u") == []
    # And its log is retained for as long as past ingests can be read
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{tables.uri('t')}`").first()
    assert detail is not None
    assert detail["properties"]["delta.logRetentionDuration"] == "interval 3650 days"


def test_a_folder_with_blanks_and_pattern_signs_reaches_spark_as_it_is(
    spark: SparkSession, tmp_path: Path
) -> None:
    # Given a file below a folder whose name has blanks, a percent sign and signs of patterns
    folder = tmp_path / "100% of #1 {a} [b]*"
    folder.mkdir()
    pq.write_table(pa.table({"n": [1, 2]}), folder / "rows.parquet")
    # Then Spark reads that file
    assert spark.read.parquet(spark_path(folder / "rows.parquet")).count() == 2


@pytest.mark.parametrize("folder", ["a b", "ü", "a#b", "100%", "100%20 x"])
def test_tables_below_any_folder_are_written_and_read(
    spark: SparkSession, tmp_path: Path, folder: str
) -> None:
    # Given a folder with signs that a reader of URIs may take for something else
    tables = Tables(spark, str(tmp_path / folder))
    # When a table is written there, with Arrow where that is possible
    rows = pa.table({"n": [1, 2]})
    arrow = tables.local("t") is not None
    tables.replace("t", rows if arrow else spark.createDataFrame(rows), description="first")
    # Then its rows and its history are there, in that folder
    assert (tables.count("t"), tables.read("t").count()) == (2, 2)
    assert tables.description("t") == "first"
    assert (tmp_path / folder / "t" / "_delta_log").is_dir()
    assert arrow == (not set(folder) & set("#%"))
