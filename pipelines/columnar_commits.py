"""Commits of files that Python workers wrote: the whole of a Delta table, or some of its days."""

from __future__ import annotations

import json
import time
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from pipelines.columnar import PARQUET, files_of_table, write_file
from pipelines.tables import KEPT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pyarrow.compute as pc

    from pipelines.columnar import DayColumn, DayFile

SMALL_ROWS: Final = 20_000
"""A file of fewer rows is written again with what comes beside it: so day after day makes no more
files than there are so many rows."""


def replace_all(folder: Path, schema: pa.Schema, adds: list[AddAction], description: str) -> None:
    """Commit files as the whole content of a Delta table; made if it does not exist."""
    properties = CommitProperties(custom_metadata={"userMetadata": description})
    wanted = Schema.from_arrow(schema)
    if DeltaTable.is_deltatable(str(folder)):
        DeltaTable(str(folder)).create_write_transaction(
            [*adds], "overwrite", wanted, commit_properties=properties
        )
    else:
        create_table_with_add_actions(
            str(folder),
            wanted,
            adds,
            mode="error",
            configuration=KEPT,
            commit_properties=properties,
        )


def replace_days(
    folder: Path,
    adds: Sequence[AddAction],
    column: DayColumn,
    days: Sequence[tuple[dt.date, dt.date]],
    description: str,
) -> None:
    """Commit files in place of the rows of ranges of days, both ends included.

    Files that hold other days too are written again without the days replaced. Small rests and
    small new files become one file.
    """
    table = DeltaTable(str(folder))
    schema = pa.schema(table.schema().to_arrow())
    touched = [
        file
        for file in files_of_table(folder, column)
        if any(file.touches(*range_) for range_ in days)
    ]
    rests = [_rest(file, column, days, schema) for file in touched]
    small = [rest for rest in rests if 0 < rest.num_rows < SMALL_ROWS]
    actions: list[AddAction | RemoveAction] = [
        *(_together(folder, adds, small, column) if small else adds),
        *(write_file(rest, folder) for rest in rests if rest.num_rows >= SMALL_ROWS),
        *(_removal(Path(file.path)) for file in touched),
    ]
    properties = CommitProperties(custom_metadata={"userMetadata": description})
    table.create_write_transaction(actions, "append", table.schema(), commit_properties=properties)


def _rest(
    file: DayFile,
    column: DayColumn,
    days: Sequence[tuple[dt.date, dt.date]],
    schema: pa.Schema,
) -> pa.Table:
    """Return the rows of a file that are of no day of the ranges."""
    rows = ds.dataset(file.path, format=PARQUET)
    replaced: pc.Expression = reduce(or_, (column.between(rows.schema, *range_) for range_ in days))
    return rows.to_table(filter=~replaced).cast(schema)


def _together(
    folder: Path, adds: Sequence[AddAction], rests: list[pa.Table], column: DayColumn
) -> list[AddAction]:
    """Write small rests and small new files as one file, by day; return all that is to be added."""
    is_small = {add.path: _rows(add) < SMALL_ROWS for add in adds}
    schema = rests[0].schema
    parts = [
        ds.dataset(str(folder / path), format=PARQUET).to_table().cast(schema)
        for path, small in is_small.items()
        if small
    ]
    merged = pa.concat_tables([*rests, *parts]).sort_by(column.name)
    for path, small in is_small.items():
        if small:
            (folder / path).unlink()
    return [write_file(merged, folder), *(add for add in adds if not is_small[add.path])]


def _rows(add: AddAction) -> int:
    return int(json.loads(add.stats or "{}").get("numRecords", SMALL_ROWS))


def _removal(path: Path) -> RemoveAction:
    now = time.time_ns() // 1_000_000
    return RemoveAction(path.name, True, now, path.stat().st_size, {})  # noqa: FBT003 - positional only
