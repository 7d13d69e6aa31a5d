"""Deduplicates silver candidates by key: the newest file wins, the other rows are refused.

A correction is a row of a newer file with the key of an older row. Bronze records which file is
newer, as the time of ingestion. So the same bronze always gives the same silver, and later files
only add refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.fields import REFUSAL, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

_VERSIONS = "versions"
_FILE = (INGESTED, SOURCE_FILE, SOURCE_CHECKSUM)


def to_duplicate_keys(candidates: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return the keys that several rows have, without rows that are already refused.

    Args:
        candidates: Rows with their lineage and refusal.
        key: The columns of the key.
    """
    counted = candidates.where(F.col(REFUSAL).isNull()).groupBy(*key).agg(F.count("*").alias("n"))
    return counted.where(F.col("n") > 1).drop("n")


def with_duplicates_refused(
    candidates: DataFrame, duplicates: DataFrame, *, key: Sequence[str], words: str
) -> DataFrame:
    """Return the candidates, in their order, with all but one row of each key refused.

    The newest file that has the key wins, as a correction; within a file, the first row wins. The
    newest file is the one that was ingested last; of files ingested together, the last by name. A
    row that is not the first of its file is a duplicate; the first of an older file is superseded
    by that of the next newer one. The order of the rows does not matter.

    Args:
        candidates: Rows with their lineage and refusal.
        duplicates: The duplicate keys; far fewer than rows (they are broadcast).
        key: The columns of the key.
        words: What a key identifies, for the reason: `flight`.
    """
    versions = _to_versions(candidates, duplicates, key)
    own = F.struct(*(F.col(name) for name in _FILE))
    first = F.try_element_at(F.filter(_VERSIONS, lambda one: _file_of(one) == own), F.lit(1))
    newer = F.try_element_at(F.filter(_VERSIONS, lambda one: _file_of(one) > own), F.lit(1))
    duplicate = refusal_of(
        "duplicate_key",
        "Row ", first[SOURCE_ROW], f" of the same file is this {words} too, and came first.",
    )  # fmt: skip
    superseded = refusal_of(
        "superseded", "The newer file ", newer[SOURCE_FILE], f" has this {words} too, in row ",
        newer[SOURCE_ROW], ".", since=newer[INGESTED],
    )  # fmt: skip
    refusal = F.when(F.col(SOURCE_ROW) != first[SOURCE_ROW], duplicate).when(
        newer.isNotNull(), superseded
    )
    return (
        candidates.join(F.broadcast(versions), on=list(key), how="left")
        .withColumn(REFUSAL, F.coalesce(F.col(REFUSAL), refusal))
        .select(*candidates.columns)
    )


def _to_versions(candidates: DataFrame, duplicates: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return the duplicate keys, each with the files that have it, oldest first, and their rows."""
    rows = candidates.where(F.col(REFUSAL).isNull()).select(*key, *_FILE, SOURCE_ROW)
    firsts = (
        rows.join(F.broadcast(duplicates), on=list(key), how="left_semi")
        .groupBy(*key, *_FILE)
        .agg(F.min(SOURCE_ROW).alias(SOURCE_ROW))
    )
    version = F.struct(*_FILE, SOURCE_ROW)
    return firsts.groupBy(*key).agg(F.sort_array(F.collect_list(version)).alias(_VERSIONS))


def _file_of(version: Column) -> Column:
    return F.struct(*(version[name].alias(name) for name in _FILE))
