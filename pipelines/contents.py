"""What a table contains, as sums that a commit changes: the content hash without a full read.

Each row counts by its hashes, so the rows of a replaced range can be taken out of the sums and the
new ones put in: the cost of a new day does not grow with the history.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.columns import INGESTED
from serving.stores.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

    from pipelines.tables import Tables

# Two sums of 64-bit hashes with these seeds tell two contents apart.
_SEEDS = (17, 4711)


@dataclass(frozen=True, slots=True)
class Content:
    """Rows and columns of a table as figures; the order of rows, files and columns has no part.

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
        """The SHA-256 of the content."""
        figures = [str(self.rows), *(str(each) if self.rows else "None" for each in self.sums)]
        return hashlib.sha256(f"{list(self.columns)} {figures}".encode()).hexdigest()

    def replaced(self, old: Content, new: Content) -> Content:
        """Return the content after some of its rows were replaced by others."""
        both = zip(self.sums, old.sums, new.sums, strict=True)
        sums = tuple(whole - gone + come for whole, gone, come in both)
        return Content(self.columns, self.rows - old.rows + new.rows, sums)


def content_of(frame: DataFrame) -> Content:
    """Return the content of rows."""
    columns = sorted(column for column in frame.columns if column != INGESTED)
    values = [F.col(column) for column in columns]
    nulls = F.concat_ws("", *(value.isNull().cast("int") for value in values))
    sums = [F.sum(F.xxhash64(F.lit(seed), nulls, *values).cast("decimal(38,0)")) for seed in _SEEDS]
    figures = frame.agg(F.count("*"), *sums).first()
    rows, *found = [int(figure or 0) for figure in figures or ()]
    types = tuple((column, frame.schema[column].dataType.simpleString()) for column in columns)
    return Content(types, rows, tuple(found))


class Contents:
    """The contents of tables as they were last seen, kept below the home folder.

    Args:
        tables: The tables.
        home: The home folder.
    """

    def __init__(self, tables: Tables, home: Path) -> None:
        self._tables = tables
        self._folder = home / "contents"

    def known(self, name: str) -> tuple[int, Content] | None:
        """Return a table's version and content if they are known, and it has not changed since."""
        try:
            kept = json.loads(self._path(name).read_text(encoding="utf-8"))
            columns = tuple((column, kind) for column, kind in kept["columns"])
            content = Content(columns, kept["rows"], tuple(kept["sums"]))
            version = int(kept["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # not kept, or not by this code: it can be read from the table
        if not self._tables.exists(name) or self._tables.version(name) != version:
            return None
        return version, content

    def after(self, name: str, *, where: str, before: tuple[int, Content] | None) -> Content:
        """Return a table's content after one commit that replaced some rows, and keep it.

        Args:
            name: The table.
            where: SQL that holds for the rows that were replaced and for no other.
            before: What was `known` before the commit; None: the table is read as a whole.
        """
        version, now = self._tables.version(name), self._tables.read(name)
        if before is None or before[0] + 1 != version or where == "true":
            content = content_of(now)
        else:
            old = self._tables.read(name, before[0]).where(where)
            content = before[1].replaced(content_of(old), content_of(now.where(where)))
        self._keep(name, version, content)
        return content

    def _keep(self, name: str, version: int, content: Content) -> None:
        kept = json.dumps({"version": version, **asdict(content)})
        write_whole(self._path(name), kept.encode())

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
