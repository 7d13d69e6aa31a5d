"""The Delta tables: the module that reads or writes them; in columns, `columnar.py` does.

Every write is one atomic commit, so after a crash a table is as before it or as after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException

from pipelines.tables.content_hash import content_of
from pipelines.tables.table_errors import TableMissingError, TableWriteError, write_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter, Row, SparkSession

__all__ = ["KEPT", "Commit", "TableMissingError", "TableWriteError", "Tables"]

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
# What the service of a table does to its files, and not to its rows.
_UPKEEP = ("OPTIMIZE", "VACUUM START", "VACUUM END")
_FEW = 8
# A table as it was is asked for by past ingests: its log, and the files it names, are kept.
KEPT = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 3650 days",
}


@dataclass(frozen=True)
class Commit:
    """A commit of a table: its number, and what it was described as."""

    version: int
    description: str


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
        return bool(self._history(name, 1))

    def version(self, name: str) -> int:
        """Return the number of a table's last commit.

        Raises:
            TableMissingError: There is no such table.
        """
        found = self._history(name, 1)
        if not found:
            raise self._missing(name)
        return int(found[0]["version"])

    def commits(self, name: str, limit: int | None = None) -> list[Commit]:
        """Return the commits of a table that changed its rows, the newest first.

        Args:
            name: The table; one that does not exist has none.
            limit: How many commits to look at, those of its upkeep included; None: all.
        """
        return [
            Commit(row["version"], row["userMetadata"] or "")
            for row in self._history(name, limit)
            if row["operation"] not in _UPKEEP
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
        """Return what the last commit that changed rows was described as; empty if it was not.

        Raises:
            TableMissingError: There is no such table.
        """
        return self.last_change(name).description

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
        writer = writer.option("mergeSchema", value=True)  # a table of before may lack a column
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
        with write_errors(name, self.uri(name)):
            if self._schema is None:
                writer.options(**KEPT).save(self.uri(name))
            else:  # there, how long files are kept is the platform's setting
                writer.saveAsTable(f"{self._schema}.{name}")

    def _history(self, name: str, limit: int | None) -> list[Row]:
        few = "" if limit is None else f" LIMIT {limit}"
        try:
            history = self._spark.sql(f"DESCRIBE HISTORY {self._sql_name(name)}{few}")
            return history.select("version", "operation", "userMetadata").collect()
        except AnalysisException as error:
            if _tells(error, _MISSING):
                return []
            raise

    def _sql_name(self, name: str) -> str:
        return f"delta.`{self.uri(name)}`" if self._schema is None else f"{self._schema}.{name}"

    def _missing(self, name: str) -> TableMissingError:
        return TableMissingError(
            f"Table {name} does not exist in {self._root}: run the stage that makes it, or "
            "`make run`."
        )


def _tells(error: Exception, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error) for sign in signs)
