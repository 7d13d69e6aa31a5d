"""Repeated keys: which of the rows with the same key goes to silver, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.columns import INGESTED, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.fields import REFUSAL, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

_KEPT = "kept"


def to_repeated_keys(candidates: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return the keys that several rows have, each with the row that is to be kept.

    The newest file that has the key wins, as a correction; within a file, its first row. Newest is
    the one that was ingested last; of those ingested together, the last by name. Rows that are
    refused already do not count. The order of the rows does not matter.

    Args:
        candidates: Rows with their lineage and refusal.
        key: The columns of the key.
    """
    newest_first_row = F.struct(
        INGESTED, SOURCE_FILE, SOURCE_CHECKSUM, (-F.col(SOURCE_ROW)).alias("last")
    )
    counted = (
        candidates.where(F.col(REFUSAL).isNull())
        .groupBy(*key)
        .agg(F.count("*").alias("rows"), F.max(newest_first_row).alias(_KEPT))
    )
    return counted.where(F.col("rows") > 1).drop("rows")


def with_repeats_refused(
    candidates: DataFrame, repeated: DataFrame, *, key: Sequence[str], words: str
) -> DataFrame:
    """Return the candidates, in their order, with all but one row of each key refused.

    Args:
        candidates: Rows with their lineage and refusal.
        repeated: The repeated keys; far fewer than rows.
        key: The columns of the key.
        words: What a key names, for the reason: `flight`.
    """
    kept_file, kept_checksum = F.col(f"{_KEPT}.{SOURCE_FILE}"), F.col(f"{_KEPT}.{SOURCE_CHECKSUM}")
    kept_row = -F.col(f"{_KEPT}.last")
    in_kept_file = F.col(SOURCE_CHECKSUM) == kept_checksum
    duplicate = refusal_of(
        "duplicate_key", "Row ", kept_row, f" of the same file is this {words} too, and came first."
    )
    superseded = refusal_of(
        "superseded", "The newer file ", kept_file, f" has this {words} too, in row ", kept_row, "."
    )
    is_kept = in_kept_file & (F.col(SOURCE_ROW) == kept_row)
    refusal = F.when(~is_kept, F.when(in_kept_file, duplicate).otherwise(superseded))
    return (
        candidates.join(F.broadcast(repeated), on=list(key), how="left")
        .withColumn(REFUSAL, F.coalesce(F.col(REFUSAL), refusal))
        .select(*candidates.columns)
    )
