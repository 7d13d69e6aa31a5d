"""Delta tables by name: read and written by Spark, and on this machine's disk with Arrow.

The history of a table in a local folder is read without Spark, and rows that are given as an Arrow
table are written without it. Everything else is Spark's. Every write is one atomic commit: after a
crash a table is as it was before it, or as after it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import AnalysisException

from ontime_base.errors import OntimeError
from pipelines.tables.content_hash import content_hash_of
from pipelines.tables.locations import CATALOG, spark_path, uri_of
from pipelines.tables.table_history import RETENTION, HistoryEntry

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

    from pipelines.tables.arrow_files import DayColumn
    from pipelines.tables.local_tables import LocalTables

_MISSING = (
    "TABLE_OR_VIEW_NOT_FOUND",
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_TABLE_ONLY_OPERATION",
    "PATH_NOT_FOUND",
    "DELTA_PATH_DOES_NOT_EXIST",
)
_NO_SUCH_VERSION = ("DELTA_VERSION_NOT_FOUND", "DELTA_CANNOT_TIME_TRAVEL", "does not exist")
_NOT_ALLOWED = ("Permission denied", "DELTA_CANNOT_CREATE_LOG_PATH", "Not a directory")
# Maintenance changes the files of a table, and not its rows.
_MAINTENANCE = ("OPTIMIZE", "VACUUM START", "VACUUM END")
_FEW = 8


class TableMissingError(OntimeError):
    """A table, or the version of it that was asked for, does not exist."""


class TableWriteError(OntimeError):
    """A table could not be written; it is as it was before."""


@dataclass(frozen=True)
class Commit:
    """A commit of a table: its version number, and its description (`userMetadata`)."""

    version: int
    description: str


def missing_table(name: str, root: str) -> TableMissingError:
    """Return the error for a table that is not there."""
    return TableMissingError(
        f"Table {name} does not exist in {root}: run the stage that writes it, or `make run`."
    )


class Tables:
    """The Delta tables below one folder or URI.

    Args:
        spark: The session that reads and writes them, or what opens it when it is first needed.
        root: Folder or URI, in which each table has a folder of its name; or, as
            `catalog:<catalog>.<schema>`, the schema of a catalog that has each table by its name.
        columnar: Whether tables in folders of this machine are read and written with Arrow where
            that is possible; it is not where the Delta library for Python is not installed.
    """

    def __init__(
        self, spark: SparkSession | Callable[[], SparkSession], root: str, *, columnar: bool = True
    ) -> None:
        self._open = spark
        self._root = root.rstrip("/")
        scheme, _, schema = self._root.partition(":")
        self._schema = schema if scheme == CATALOG else None
        self._local = _local_tables(self._root) if columnar else None

    @property
    def spark(self) -> SparkSession:
        """The session that reads and writes them."""
        return self._open() if callable(self._open) else self._open

    def local(self, *names: str) -> LocalTables | None:
        """Return the tables as Arrow reads and writes them; None unless it can all of these."""
        local = self._local
        return local if local is not None and all(map(local.is_plain, names)) else None

    def uri(self, name: str) -> str:
        """Return where a table is."""
        return uri_of(self._root, name)

    def exists(self, name: str) -> bool:
        """Return whether a table has ever been written."""
        return bool(self._history(name, 1))

    def version(self, name: str) -> int:
        """Return the number of a table's last commit.

        Raises:
            TableMissingError: There is no such table.
        """
        found = self._history(name, 1)
        if not found:
            raise self._missing(name)
        return found[0].version

    def commits(self, name: str, limit: int | None = None) -> list[Commit]:
        """Return the commits of a table that changed its rows, the newest first.

        Args:
            name: The table; one that does not exist has none.
            limit: How many commits to read, those of maintenance included; None: all.
        """
        return [
            Commit(entry.version, entry.description)
            for entry in self._history(name, limit)
            if entry.operation not in _MAINTENANCE
        ]

    def commits_since(self, name: str, version: int) -> list[Commit]:
        """Return the commits that changed rows from a version on, that one included, newest first.

        Empty if the history does not reach that far back.
        """
        wanted = self.version(name) - version + 1
        found = self.commits(name, wanted) if wanted > 0 else []
        return found if found and found[-1].version == version else []

    def last_change(self, name: str) -> Commit:
        """Return the last commit that changed rows of a table.

        Raises:
            TableMissingError: There is no such table.
        """
        found = self.commits(name, _FEW) or self.commits(name)
        if not found:
            raise self._missing(name)
        return found[0]

    def description(self, name: str) -> str:
        """Return the description of the last commit that changed rows; empty if it has none.

        Raises:
            TableMissingError: There is no such table.
        """
        return self.last_change(name).description

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """Return a table as it is now, or as a past commit left it.

        Raises:
            TableMissingError: There is no such table or version.
        """
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            frame = (
                reader.load(self.uri(name))
                if self._schema is None
                else reader.table(f"{self._schema}.{name}")
            )
            _ = frame.schema  # under Spark Connect a frame is not analyzed before this
        except AnalysisException as error:
            if _matches(error, _MISSING):
                raise self._missing(name) from error
            if version is not None and _matches(error, _NO_SUCH_VERSION):
                raise TableMissingError(
                    f"Table {name} has no version {version} (any more): its last is "
                    f"{self.version(name)}."
                ) from error
            raise
        return frame

    def append_once(self, name: str, frame: DataFrame, *, key: str, description: str) -> None:
        """Add rows to a table, unless a commit with the same key has already been made.

        Args:
            name: The table; created if it does not exist.
            frame: The rows.
            key: Names the batch, such as the checksum of its files.
            description: Stored in the table's history.
        """
        writer = frame.write.format("delta").mode("append").option("userMetadata", description)
        writer = writer.option("txnAppId", f"ontime.{name}.{key}").option("txnVersion", 1)
        self._save(name, writer)

    def append_files_once(
        self, name: str, files: Sequence[Path], *, key: str, description: str
    ) -> None:
        """Add the rows of Parquet files to a table, unless a commit had the same key.

        Args:
            name: The table; created if it does not exist.
            files: The files, all of one schema; where that is possible they are moved.
            key: Names the batch, such as the checksum of its files.
            description: Stored in the table's history.
        """
        local = self.local(name)
        if local is None:
            rows = self.spark.read.parquet(*map(spark_path, files))
            self.append_once(name, rows, key=key, description=description)
            return
        with _write_errors(name, self.uri(name)):
            local.append_once(name, files, key=key, description=description)

    def replace(
        self, name: str, rows: DataFrame | pa.Table, *, description: str, rows_per_file: int = 0
    ) -> None:
        """Replace the whole content of a table by these rows, and its schema by their columns.

        Args:
            name: The table; created if it does not exist.
            rows: The rows; an Arrow table only where `local` returns the tables.
            description: Stored in the table's history.
            rows_per_file: The most rows that a file may have; 0: as many as there are.
        """
        if isinstance(rows, pa.Table):
            with _write_errors(name, self.uri(name)):
                self._here(name).replace(
                    name, rows, description=description, rows_per_file=rows_per_file
                )
            return
        writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", value=True)
        writer = writer.option("maxRecordsPerFile", rows_per_file)
        self._save(name, writer.option("userMetadata", description))

    def replace_where(
        self, name: str, frame: DataFrame, *, predicate: str, description: str
    ) -> None:
        """Replace the rows that fulfil a predicate by others that fulfil it.

        Args:
            name: The table; created if it does not exist.
            frame: The new rows.
            predicate: SQL over the table's columns, such as `flight_date >= '2013-01-01'`.
            description: Stored in the table's history.
        """
        writer = frame.write.format("delta").mode("overwrite").option("replaceWhere", predicate)
        writer = writer.option("mergeSchema", value=True)  # an older table may lack a column
        self._save(name, writer.option("userMetadata", description))

    def replace_days(
        self,
        name: str,
        rows: pa.Table,
        *,
        column: DayColumn,
        days: Sequence[tuple[dt.date, dt.date]],
        description: str,
    ) -> None:
        """Replace ranges of days, both ends included, of a table that `local` returns.

        Args:
            name: The table; it must exist.
            rows: The new rows of those days.
            column: By which a row belongs to a day.
            days: First and last day of each range.
            description: Stored in the table's history.
        """
        with _write_errors(name, self.uri(name)):
            self._here(name).replace_days(
                name, rows, column=column, days=days, description=description
            )

    def rewrite_since(
        self,
        name: str,
        change: Callable[[pa.Table], pa.Table],
        *,
        column: DayColumn,
        first: dt.date,
        description: str,
    ) -> None:
        """Replace the files with rows of a day or later by one; of a table that `local` returns.

        Args:
            name: The table; it must exist.
            change: Called with the rows of those files, of earlier days too; returns their
                replacement.
            column: By which a row belongs to a day.
            first: The first day.
            description: Stored in the table's history.
        """
        with _write_errors(name, self.uri(name)):
            self._here(name).rewrite_since(
                name, change, column=column, first=first, description=description
            )

    def count(self, name: str) -> int:
        """Return the number of rows of a table.

        Raises:
            TableMissingError: There is no such table.
        """
        local = self.local(name)
        if local is not None and local.exists(name):
            return local.count(name)
        return self.read(name).count()

    def content_hash(self, name: str, version: int | None = None) -> str:
        """Return a SHA-256 of a table's content: names and types of columns, and all values.

        The order of rows, files and columns does not count, nor does the time of ingestion.

        Raises:
            TableMissingError: There is no such table or version.
        """
        return content_hash_of(self.read(name, version)).digest

    def _save(self, name: str, writer: DataFrameWriter) -> None:
        with _write_errors(name, self.uri(name)):
            if self._schema is None:
                writer.options(**RETENTION).save(self.uri(name))
            else:  # there the platform sets the retention
                writer.saveAsTable(f"{self._schema}.{name}")

    def _here(self, name: str) -> LocalTables:
        local = self.local(name)
        if local is None:
            raise TypeError(f"Table {name} is not written with Arrow: it needs a Spark frame.")
        return local

    def _history(self, name: str, limit: int | None) -> list[HistoryEntry]:
        local = self.local(name)
        if local is not None:
            return local.history(name, limit)
        few = "" if limit is None else f" LIMIT {limit}"
        try:
            history = self.spark.sql(f"DESCRIBE HISTORY {self._sql_name(name)}{few}")
            rows = history.select("version", "operation", "userMetadata").collect()
        except AnalysisException as error:
            if _matches(error, _MISSING):
                return []
            raise
        return [HistoryEntry(row[0], row[1], row[2] or "") for row in rows]

    def _sql_name(self, name: str) -> str:
        return f"delta.`{self.uri(name)}`" if self._schema is None else f"{self._schema}.{name}"

    def _missing(self, name: str) -> TableMissingError:
        return missing_table(name, self._root)


def _local_tables(root: str) -> LocalTables | None:
    try:
        from pipelines.tables.local_tables import local_tables  # noqa: PLC0415 - not on each platform
    except ImportError:  # some platforms have no Delta library for Python: Spark does it all
        return None
    return local_tables(root)


def _matches(error: Exception, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error) for sign in signs)


@contextmanager
def _write_errors(name: str, uri: str) -> Iterator[None]:
    """Raise what a reader can correct as a `TableWriteError` of one sentence."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if "No space left on device" in text:
            raise TableWriteError(
                f"No space left on the disk while table {name} was written to {uri}: the table is "
                "as before. Free some space and run again."
            ) from error
        if any(sign in text for sign in _NOT_ALLOWED):
            raise TableWriteError(
                f"Table {name} cannot be written to {uri}: no folder can be created or changed "
                "there. Set ONTIME_HOME to a folder that you may write to."
            ) from error
        concurrent = ("Concurrent", "CommitFailed")
        if any(sign in type(error).__name__ for sign in concurrent) or "DELTA_CONCURRENT" in text:
            raise TableWriteError(
                f"Another process wrote table {name} at the same time: the table has its rows, "
                "not ours. Run again when it has ended."
            ) from error
        raise
