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

from features.declare.columns import INGESTED, REFUSED
from ontime_base.atomic_files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

    from pipelines.tables.delta_tables import Commit, Tables

# Two sums of 64-bit hashes with these seeds tell two contents apart.
_SEEDS = (17, 4711)
# When we were told is no part of what we were told.
_WHEN = (INGESTED, REFUSED)


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
    columns = sorted(column for column in frame.columns if column not in _WHEN)
    values = [F.col(column) for column in columns]
    nulls = F.concat_ws("", *(value.isNull().cast("int") for value in values))
    sums = [F.sum(F.xxhash64(F.lit(seed), nulls, *values).cast("decimal(38,0)")) for seed in _SEEDS]
    figures = frame.agg(F.count("*"), *sums).first()
    rows, *found = [int(figure or 0) for figure in figures or ()]
    types = tuple((column, frame.schema[column].dataType.simpleString()) for column in columns)
    return Content(types, rows, tuple(found))


class Contents:
    """The contents of tables at the versions at which they were seen, kept below the home folder.

    Args:
        tables: The tables.
        home: The home folder.
    """

    def __init__(self, tables: Tables, home: Path) -> None:
        self._tables = tables
        self._folder = home / "contents"

    def of(self, name: str) -> Content:
        """Return a table's content: as it is known, else read from the whole table, and keep it.

        Raises:
            TableMissingError: There is no such table.
        """
        commit = self._tables.last_change(name)
        content = self.at(name, commit)
        if content is None:
            content = content_of(self._tables.read(name))
            self._keep(name, commit, content)
        return content

    def at(self, name: str, commit: Commit) -> Content | None:
        """Return the content that a table had after a commit, if it was kept then."""
        try:
            kept = json.loads(self._path(name, commit).read_text(encoding="utf-8"))
            columns = tuple((column, kind) for column, kind in kept["columns"])
            content = Content(columns, kept["rows"], tuple(kept["sums"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # not kept, or not by this code: it can be read from the table
        return content if kept["description"] == commit.description else None

    def known(self, name: str) -> tuple[int, Content] | None:
        """Return a table's version and content, if the table exists and its content is kept."""
        if not self._tables.exists(name):
            return None
        content = self.at(name, self._tables.last_change(name))
        return None if content is None else (self._tables.version(name), content)

    def keep(self, name: str, content: Content) -> None:
        """Keep what a table's content is now."""
        self._keep(name, self._tables.last_change(name), content)

    def after(self, name: str, *, where: str, before: tuple[int, Content] | None) -> Content:
        """Return a table's content after one commit that replaced some rows, and keep it.

        Args:
            name: The table.
            where: SQL that holds for the rows that were replaced and for no other.
            before: What was `known` before the commit; None: the table is read as a whole.
        """
        commit, now = self._tables.last_change(name), self._tables.read(name)
        if before is None or before[0] + 1 != commit.version or where == "true":
            content = content_of(now)
        else:
            old = self._tables.read(name, before[0]).where(where)
            content = before[1].replaced(content_of(old), content_of(now.where(where)))
        self._keep(name, commit, content)
        return content

    def _keep(self, name: str, commit: Commit, content: Content) -> None:
        kept = {"description": commit.description, **asdict(content)}
        write_atomically(self._path(name, commit), json.dumps(kept).encode())

    def _path(self, name: str, commit: Commit) -> Path:
        return self._folder / name / f"{commit.version}.json"
