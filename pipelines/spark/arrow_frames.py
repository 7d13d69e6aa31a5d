"""Spark frames from Arrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


def frame_of(spark: SparkSession, rows: pa.Table) -> DataFrame:
    """Return the rows of an Arrow table as a frame.

    Classic Spark drops every row that comes after an empty chunk of a table, such as a filter
    leaves: the chunks are combined before Spark sees them.
    """
    return spark.createDataFrame(rows.combine_chunks())
