"""The Delta tables: the module that reads or writes them; in columns, `columnar.py` does.

Every write is one atomic commit, so after a crash a table is as before it or as after it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException

from features.errors import OntimeError
from pipelines.contents import content_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

CATALOG = "catalog"
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


class TableMissingError(OntimeError):
    """A table, or the version of it that was asked for, does not exist."""


class TableWriteError(OntimeError):
    """A table could not be written; it is as it was before."""


class Tables:
    """The Delta tables below one folder or URI.

    Args:
        spark: The session that reads and writes them.
        root: Folder or URI, in which each table has a folder of its name; or, as
            `catalog:<catalog>.<schema>`, the schema of a catalog that has each table by its name.
    """

    def __init__(self, spark: SparkSession, root: str) -> None:
        self._spark = spark
        self._root = root.rstrip("/")
        scheme, _, schema = self._root.partition(":")
        self._schema = schema if scheme == CATALOG else None

    def uri(self, name: str) -> str:
        """Return where a table is."""
        return f"{self._root}/{name}" if self._schema is None else f"{self._root}.{name}"

    def exists(self, name: str) -> bool:
        """Return whether a table has ever been written."""
        return self._last_commit(name) is not None

    def version(self, name: str) -> int:
        """Return the number of a table's last commit.

        Raises:
            TableMissingError: There is no such table.
        """
        return self._commit(name)[0]

    def description(self, name: str) -> str:
        """Return what the last commit of a table was described as; empty if it was not.

        Raises:
            TableMissingError: There is no such table.
        """
        return self._commit(name)[1]

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """Return a table as it is now, or as a past commit left it.

        Raises:
            TableMissingError: There is no such table or version.
        """
        reader = self._spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            frame = (
                reader.load(self.uri(name))
                if self._schema is None
                else reader.table(f"{self._schema}.{name}")
            )
            _ = frame.schema  # under Spark Connect a frame is not looked at before this
        except AnalysisException as error:
            if _tells(error, _MISSING):
                raise self._missing(name) from error
            if version is not None and _tells(error, _NO_SUCH_VERSION):
                raise TableMissingError(
                    f"Table {name} has no version {version} (any more): its last is "
                    f"{self.version(name)}."
                ) from error
            raise
        return frame

    def append_once(self, name: str, frame: DataFrame, *, key: str, description: str) -> None:
        """Add rows to a table, unless a commit with the same key has already been made.

        Args:
            name: The table; made if it does not exist.
            frame: The rows.
            key: Names the batch, such as the checksum of its files.
            description: Kept in the table's history.
        """
        writer = frame.write.format("delta").mode("append").option("userMetadata", description)
        writer = writer.option("txnAppId", f"ontime.{name}.{key}").option("txnVersion", 1)
        self._save(name, writer)

    def replace(
        self, name: str, frame: DataFrame, *, description: str, rows_per_file: int = 0
    ) -> None:
        """Make rows the whole content of a table, and their columns its schema.

        Args:
            name: The table; made if it does not exist.
            frame: The rows.
            description: Kept in the table's history.
            rows_per_file: The most rows that a file may have; 0: as many as there are.
        """
        writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", value=True)
        writer = writer.option("maxRecordsPerFile", rows_per_file)
        self._save(name, writer.option("userMetadata", description))

    def replace_where(
        self, name: str, frame: DataFrame, *, predicate: str, description: str
    ) -> None:
        """Replace the rows that fulfil a predicate by others that fulfil it.

        Args:
            name: The table; made if it does not exist.
            frame: The new rows.
            predicate: SQL over the table's columns, such as `flight_date >= '2013-01-01'`.
            description: Kept in the table's history.
        """
        writer = frame.write.format("delta").mode("overwrite").option("replaceWhere", predicate)
        self._save(name, writer.option("userMetadata", description))

    def count(self, name: str) -> int:
        """Return the number of rows of a table.

        Raises:
            TableMissingError: There is no such table.
        """
        return self.read(name).count()

    def content_hash(self, name: str, version: int | None = None) -> str:
        """Return a SHA-256 of a table's content: names and types of columns, and all values.

        The order of rows, files and columns does not count, nor does the time of ingestion.

        Raises:
            TableMissingError: There is no such table or version.
        """
        return content_of(self.read(name, version)).digest

    def _save(self, name: str, writer: DataFrameWriter) -> None:
        with _write_errors(name, self.uri(name)):
            if self._schema is None:
                writer.save(self.uri(name))
            else:
                writer.saveAsTable(f"{self._schema}.{name}")

    def _commit(self, name: str) -> tuple[int, str]:
        commit = self._last_commit(name)
        if commit is None:
            raise self._missing(name)
        return commit

    def _last_commit(self, name: str) -> tuple[int, str] | None:
        try:
            row = self._spark.sql(f"DESCRIBE HISTORY {self._sql_name(name)} LIMIT 1").first()
        except AnalysisException as error:
            if _tells(error, _MISSING):
                return None
            raise
        return None if row is None else (row["version"], row["userMetadata"] or "")

    def _sql_name(self, name: str) -> str:
        return f"delta.`{self.uri(name)}`" if self._schema is None else f"{self._schema}.{name}"

    def _missing(self, name: str) -> TableMissingError:
        return TableMissingError(
            f"Table {name} does not exist in {self._root}: run the stage that makes it, or "
            "`make run`."
        )


def _tells(error: Exception, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error) for sign in signs)


@contextmanager
def _write_errors(name: str, uri: str) -> Iterator[None]:
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        if "No space left on device" in text:
            raise TableWriteError(
                f"No space left on the disk while table {name} was written to {uri}: the table is "
                "as before. Free some space and run again."
            ) from error
        if any(sign in text for sign in _NOT_ALLOWED):
            raise TableWriteError(
                f"Table {name} cannot be written to {uri}: no folder can be made or changed there. "
                "Set ONTIME_HOME to a folder that you may write to."
            ) from error
        if "Concurrent" in type(error).__name__ or "DELTA_CONCURRENT" in text:
            raise TableWriteError(
                f"Another process wrote table {name} at the same time: the table has its rows, "
                "not ours. Run again when it has ended."
            ) from error
        raise
