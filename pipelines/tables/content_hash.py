"""The content hash of a table, as sums of row hashes: a commit changes it without a full read.

The rows of a replaced range are subtracted from the sums and the new ones are added, so the cost of
a new day does not grow with the history.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, REFUSED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Two sums of 64-bit hashes with these seeds distinguish two contents.
_SEEDS = (17, 4711)
# Not part of the content: when a row was ingested, or quarantined.
_TIMES = (INGESTED, REFUSED)


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
    columns = sorted(column for column in frame.columns if column not in _TIMES)
    values = [F.col(column) for column in columns]
    nulls = F.concat_ws("", *(value.isNull().cast("int") for value in values))
    sums = [F.sum(F.xxhash64(F.lit(seed), nulls, *values).cast("decimal(38,0)")) for seed in _SEEDS]
    figures = frame.agg(F.count("*"), *sums).first()
    rows, *found = [int(figure or 0) for figure in figures or ()]
    types = tuple((column, frame.schema[column].dataType.simpleString()) for column in columns)
    return ContentHash(types, rows, tuple(found))
