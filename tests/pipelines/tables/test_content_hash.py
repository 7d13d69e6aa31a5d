"""The content hash depends on columns and values; removed and added rows change its sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.tables.content_hash import ContentHash, content_hash_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


pytestmark = pytest.mark.spark


def days(spark: SparkSession, first: int, last: int, value: float | None) -> DataFrame:
    rows = [(day, value, f"flight {day}") for day in range(first, last + 1)]
    return spark.createDataFrame(rows, "day int, x double, t string")


def test_an_empty_table_has_a_hash_of_its_columns(spark: SparkSession) -> None:
    # Given no rows / Then the sums are 0, and the digest differs from that of other columns
    empty, other = days(spark, 1, 0, None), days(spark, 1, 0, None).drop("t")
    assert (content_hash_of(empty).rows, content_hash_of(empty).sums) == (0, (0, 0))
    assert content_hash_of(empty).digest != content_hash_of(other).digest


def test_removed_rows_are_subtracted_and_added_rows_are_added() -> None:
    # Given a hash / When rows are replaced / Then rows and sums follow
    whole = ContentHash((("x", "int"),), 5, (100, 200))
    old, new = ContentHash((("x", "int"),), 2, (30, 40)), ContentHash((("x", "int"),), 1, (1, -2))
    assert whole.replaced(old, new) == ContentHash((("x", "int"),), 4, (71, 158))
