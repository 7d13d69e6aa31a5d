"""The content hash of a table, as sums of row hashes: a commit changes it without a full read.

The rows of a replaced range are subtracted from the sums and the new ones are added, so the cost of
a new day does not grow with the history.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from features.declare.columns import INGESTED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

# Two sums of 64-bit hashes with these seeds distinguish two contents.
_SEEDS = (17, 4711)
# Not part of the content: when a row was ingested, or quarantined.
_TIMES = (INGESTED, REFUSED)
_SUM = "decimal(38,0)"
ROW_HASHES = tuple(f"row hash {seed}" for seed in _SEEDS)


@dataclass(frozen=True, slots=True)
class ContentHash:
    """The hash of a table's rows and columns; the order of rows, files and columns does not count.

    Attributes:
        columns: Name and type of each column, by name; without the time of ingestion.
        rows: How many rows there are.
        sums: The sums of their hashes, one for each seed.
    """

    columns: tuple[tuple[str, str], ...]
    rows: int
    sums: tuple[int, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of columns, row count and sums, in hex."""
        figures = [str(self.rows), *(str(each) if self.rows else "None" for each in self.sums)]
        return hashlib.sha256(f"{list(self.columns)} {figures}".encode()).hexdigest()

    def replaced(self, old: ContentHash, new: ContentHash) -> ContentHash:
        """Return the hash after some of the rows were replaced by others."""
        both = zip(self.sums, old.sums, new.sums, strict=True)
        sums = tuple(total - removed + added for total, removed, added in both)
        return ContentHash(self.columns, self.rows - old.rows + new.rows, sums)


def content_hash_of(frame: DataFrame) -> ContentHash:
    """Return the content hash of the rows of a frame."""
    sums = [F.sum(row_hash.cast(_SUM)) for row_hash in _row_hashes(frame.columns)]
    figures = frame.agg(F.count("*"), *sums).first()
    rows, *found = [int(figure or 0) for figure in figures or ()]
    return ContentHash(_types(frame), rows, tuple(found))


def with_row_hashes(frame: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Return the frame with the hashes of each row, for `content_hash_of_rows`.

    Args:
        frame: The rows.
        columns: The columns that the table will have.
    """
    return frame.withColumns(dict(zip(ROW_HASHES, _row_hashes(columns), strict=True)))


def content_hash_of_rows(rows: pa.Table, frame: DataFrame) -> ContentHash:
    """Return the content hash of rows that were computed with their hashes.

    Args:
        rows: Rows with their hashes.
        frame: A frame with the columns and types of the table; it is not computed.
    """
    sums = [pc.sum(rows[name].cast(pa.decimal128(19))).as_py() for name in ROW_HASHES]
    return ContentHash(_types(frame), rows.num_rows, tuple(int(each or 0) for each in sums))


def _row_hashes(columns: Sequence[str]) -> list[Column]:
    values = [F.col(column) for column in _hashed(columns)]
    nulls = F.concat_ws("", *(value.isNull().cast("int") for value in values))
    return [F.xxhash64(F.lit(seed), nulls, *values) for seed in _SEEDS]


def _types(frame: DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, frame.schema[name].dataType.simpleString()) for name in _hashed(frame.columns)
    )


def _hashed(columns: Sequence[str]) -> list[str]:
    return sorted(column for column in columns if column not in _TIMES)
