"""Frames from Arrow tables: no row is lost, whatever chunks the table has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipelines.spark.arrow_frames import frame_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_rows_after_an_empty_chunk_are_there(spark: SparkSession) -> None:
    # Given a table of which a filter has left an empty chunk between others
    chunks = [pa.array([1, 2]), pa.array([], pa.int64()), pa.array([3])]
    rows = pa.table({"n": pa.chunked_array(chunks)})
    # Then the frame has all its rows
    assert sorted(row["n"] for row in frame_of(spark, rows).collect()) == [1, 2, 3]
