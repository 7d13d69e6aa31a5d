"""Delta tables in folders of this machine, read and committed with Arrow and without Spark.

A commit of a few rows takes milliseconds here and seconds in Spark, whatever the history. Every
write is one atomic commit of the Delta log, as Spark's are, and Spark reads what is written here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from pipelines.tables.arrow_files import (
    LATEST,
    PARQUET,
    add_of_file,
    files_of_table,
    is_plain,
    removal_of,
    replace_all,
    replace_days,
    write_file,
)
from pipelines.tables.locations import local_folder
from pipelines.tables.table_history import RETENTION, HistoryEntry

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from pipelines.tables.arrow_files import DayColumn

_TRANSACTION_VERSION: Final = 1


class LocalTables:
    """The Delta tables in the folders of one folder of this machine.

    Args:
        root: The folder in which each table has a folder of its name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, name: str) -> Path:
        """Return the folder of a table."""
        return self._root / name

    def exists(self, name: str) -> bool:
        """Return whether a table has ever been written."""
        return DeltaTable.is_deltatable(str(self.folder(name)))

    def is_plain(self, name: str) -> bool:
        """Return whether a table's files hold its rows as they are, or it does not exist yet."""
        try:
            return is_plain(self.folder(name))
        except DeltaError:  # a protocol that only Spark knows
            return False

    def history(self, name: str, limit: int | None) -> list[HistoryEntry]:
        """Return the last commits of a table, the newest first; none if it does not exist."""
        if not self.exists(name):
            return []
        entries = DeltaTable(str(self.folder(name))).history(limit)
        return [
            HistoryEntry(
                int(entry["version"]), entry.get("operation", ""), entry.get("userMetadata") or ""
            )
            for entry in entries
        ]

    def count(self, name: str, where: ds.Expression | None = None) -> int:
        """Return the number of rows of a table that exists; of all of them by its log.

        Args:
            name: The table.
            where: Which rows to count; None: all.
        """
        if where is None:
            counted: int = DeltaTable(str(self.folder(name))).count()
            return counted
        found: int = self.rows(name, [], where).num_rows
        return found

    def paths(self, name: str) -> list[Path]:
        """Return the files of a table's last version, in the order of their names."""
        folder = self.folder(name)
        actions = pa.table(DeltaTable(str(folder)).get_add_actions(flatten=True))
        return sorted(folder / action["path"] for action in actions.to_pylist())

    def rows(
        self, name: str, columns: Sequence[str] | None = None, where: ds.Expression | None = None
    ) -> pa.Table:
        """Return rows of a table that exists.

        Args:
            name: The table.
            columns: The columns to read; None: all.
            where: Which rows to read; None: all.
        """
        schema = pa.schema(DeltaTable(str(self.folder(name))).schema().to_arrow())
        return _read(self.paths(name), schema, columns, where)

    def append_once(self, name: str, files: Sequence[Path], *, key: str, description: str) -> None:
        """Add Parquet files to a table, unless a commit with the same key has already been made.

        Args:
            name: The table; created if it does not exist.
            files: The files; they are moved into its folder.
            key: Names the batch, such as the checksum of its files.
            description: Stored in the table's history.
        """
        folder, application = self.folder(name), f"ontime.{name}.{key}"
        exists = self.exists(name)
        table = DeltaTable(str(folder)) if exists else None
        if table is not None and table.transaction_version(application) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        schema = pq.read_schema(files[0])
        adds = []
        for file in files:
            target = folder / f"part-{file.name}"
            shutil.move(file, target)
            adds.append(add_of_file(target))
        properties = CommitProperties(
            custom_metadata={"userMetadata": description},
            app_transactions=[Transaction(application, _TRANSACTION_VERSION)],
        )
        if table is None:
            create_table_with_add_actions(
                str(folder),
                Schema.from_arrow(schema),
                adds,
                configuration={**RETENTION},
                commit_properties=properties,
            )
        else:
            table.create_write_transaction(
                [*adds], "append", table.schema(), commit_properties=properties
            )

    def replace(
        self, name: str, rows: pa.Table, *, description: str, rows_per_file: int = 0
    ) -> None:
        """Replace the whole content of a table by these rows, and its schema by their columns.

        Args:
            name: The table; created if it does not exist.
            rows: The rows.
            description: Stored in the table's history.
            rows_per_file: The most rows that a file may have; 0: as many as there are.
        """
        rows, folder = _nullable(rows), self.folder(name)
        size = rows_per_file or max(rows.num_rows, 1)
        parts = [rows.slice(start, size) for start in range(0, rows.num_rows, size)]
        adds = [write_file(part, folder) for part in parts]
        replace_all(folder, rows.schema, adds, description)

    def replace_days(
        self,
        name: str,
        rows: pa.Table,
        *,
        column: DayColumn,
        days: Sequence[tuple[dt.date, dt.date]],
        description: str,
    ) -> None:
        """Replace the rows of ranges of days, both ends included, by these rows of those days.

        Args:
            name: The table; it must exist.
            rows: The new rows.
            column: By which a row belongs to a day.
            days: First and last day of each range.
            description: Stored in the table's history.
        """
        folder = self.folder(name)
        parts = [write_file(_nullable(rows), folder)] if rows.num_rows else []
        replace_days(folder, parts, column, days, description)

    def rewrite_since(
        self,
        name: str,
        change: Callable[[pa.Table], pa.Table],
        *,
        column: DayColumn,
        first: dt.date,
        description: str,
    ) -> None:
        """Replace the files that can hold rows of a day or later by one with changed rows.

        Args:
            name: The table; it must exist.
            change: Called with the rows of those files, of earlier days too; returns their
                replacement.
            column: By which a row belongs to a day.
            first: The first day.
            description: Stored in the table's history.
        """
        folder = self.folder(name)
        table = DeltaTable(str(folder))
        schema = pa.schema(table.schema().to_arrow())
        files = [one for one in files_of_table(folder, column) if one.touches(first, LATEST)]
        before = _read([Path(one.path) for one in files], schema)
        after = _nullable(change(before)).select(schema.names).cast(schema)
        actions: list[AddAction | RemoveAction] = [removal_of(Path(one.path)) for one in files]
        if after.num_rows:
            actions.append(write_file(after, folder))
        table.create_write_transaction(
            actions,
            "append",
            table.schema(),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": description}),
        )


def local_tables(root: str) -> LocalTables | None:
    """Return the tables below a folder of this machine; None for any other kind of root."""
    folder = local_folder(root)
    return None if folder is None else LocalTables(folder)


def _read(
    paths: Sequence[Path],
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    where: ds.Expression | None = None,
) -> pa.Table:
    names = schema.names if columns is None else list(columns)
    if not paths:
        return pa.schema([schema.field(name) for name in names]).empty_table()
    files = ds.dataset([str(path) for path in paths], schema, PARQUET)
    return files.to_table(columns=names, filter=where)


def _nullable(rows: pa.Table) -> pa.Table:
    """Return the rows with columns that may be null, as Spark writes all columns of a table."""
    return rows.cast(pa.schema([pa.field(field.name, field.type) for field in rows.schema]))
