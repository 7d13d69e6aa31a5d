"""Parquet files of Delta tables, read and written with Arrow by day, and committed together.

For tables on this machine's disk. Spark distributes the blocks of days to its Python workers; a
worker reads the Parquet files of its days and writes one file; the driver commits all of them in
one transaction of the Delta log. Elsewhere (S3, Unity Catalog) workers may not open files: there
Spark reads and writes the tables.
"""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from pipelines.tables.table_history import RETENTION

if TYPE_CHECKING:
    from collections.abc import Sequence


EARLIEST: Final = dt.date.min
LATEST: Final = dt.date.max

SMALL_ROWS: Final = 20_000
"""A file with fewer rows is merged with new files of the same commit, so that daily updates do not
leave many small files."""

_STATISTICS_COLUMNS: Final = 32
"""Delta stores statistics of so many columns, from the first."""

PARQUET: Final = ds.ParquetFileFormat(
    read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us")
)


@dataclass(frozen=True, slots=True)
class DayFile:
    """A Parquet file and the first and last day that rows of it can have."""

    path: str
    first: dt.date = EARLIEST
    last: dt.date = LATEST

    def touches(self, first: dt.date, last: dt.date) -> bool:
        """Return whether the file can hold rows of a range of days, both ends included."""
        return self.first <= last and first <= self.last


@dataclass(frozen=True, slots=True)
class DayColumn:
    """A column of a table by which its rows belong to days, in UTC if it is an instant."""

    name: str
    is_instant: bool = False

    def between(self, schema: pa.Schema, first: dt.date, last: dt.date) -> pc.Expression:
        """Return the condition that a row belongs to a range of days, both ends included.

        Args:
            schema: Of the rows: Spark's own kind of instants (INT96) are read without a zone.
            first: First day.
            last: Last day.
        """
        column, kind = pc.field(self.name), schema.field(self.name).type
        if not self.is_instant:
            return (column >= pa.scalar(first)) & (column <= pa.scalar(last))
        midnight = dt.time(tzinfo=dt.UTC if kind.tz else None)
        start, end = (dt.datetime.combine(day, midnight) for day in (first, last))
        return (column >= pa.scalar(start, kind)) & (
            column < pa.scalar(end + dt.timedelta(days=1), kind)
        )


def is_plain(folder: Path) -> bool:
    """Return whether a Delta table's files hold its rows as they are, or it does not exist yet.

    Deletion vectors and renamed columns need a later reader protocol: Spark reads those.
    """
    if not DeltaTable.is_deltatable(str(folder)):
        return True
    return DeltaTable(str(folder)).protocol().min_reader_version == 1


def files_of_table(folder: Path, column: DayColumn, version: int | None = None) -> list[DayFile]:
    """Return the files of a version of a Delta table, or of its last, with their days."""
    table = DeltaTable(str(folder), version=version)
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    low, high = f"min.{column.name}", f"max.{column.name}"
    return [
        DayFile(
            str(folder / action["path"]),
            _day(action.get(low)) or EARLIEST,
            _day(action.get(high)) or LATEST,
        )
        for action in actions
    ]


def files_of_folder(folder: Path, column: DayColumn) -> list[DayFile]:
    """Return the Parquet files of a folder, with the days that their footers have."""
    files = []
    for path in sorted(folder.glob("*.parquet")):
        metadata = pq.read_metadata(path)
        position = metadata.schema.to_arrow_schema().names.index(column.name)
        groups = [metadata.row_group(i).column(position) for i in range(metadata.num_row_groups)]
        known = [group.statistics for group in groups if group.statistics]
        if len(known) == len(groups) and known:
            first, last = min(each.min for each in known), max(each.max for each in known)
            files.append(DayFile(str(path), _day(first) or EARLIEST, _day(last) or LATEST))
        else:
            files.append(DayFile(str(path)))
    return files


def day_span(files: Sequence[DayFile], column: DayColumn) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of files; read from their rows without statistics."""
    first, last = min(file.first for file in files), max(file.last for file in files)
    if first > EARLIEST and last < LATEST:
        return first, last
    values = ds.dataset([file.path for file in files], format=PARQUET).to_table([column.name])
    ends = pc.min_max(values[column.name]).as_py()
    return _day(ends["min"]) or EARLIEST, _day(ends["max"]) or LATEST


def read_days(
    files: Sequence[DayFile],
    columns: Sequence[str],
    column: DayColumn,
    first: dt.date,
    last: dt.date,
) -> pa.Table:
    """Return the rows of a range of days, both ends included; reads no file of other days.

    Args:
        files: The table's files; at least one, for the column types if none is of these days.
        columns: The columns to return.
        column: By which a row belongs to a day.
        first: First day.
        last: Last day.
    """
    touched = [file.path for file in files if file.touches(first, last)] or [files[0].path]
    rows = ds.dataset(touched, format=PARQUET)
    return rows.to_table(columns=list(columns), filter=column.between(rows.schema, first, last))


def write_file(table: pa.Table, folder: Path) -> AddAction:
    """Write rows as one file of a Delta table and return the action that adds it."""
    name = f"part-{uuid.uuid4()}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    texts = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, folder / name, compression="snappy", use_dictionary=texts)
    now = time.time_ns() // 1_000_000
    size = (folder / name).stat().st_size
    return AddAction(name, size, {}, now, data_change=True, stats=json.dumps(_statistics(table)))


def add_of_file(path: Path) -> AddAction:
    """Return the action that adds a Parquet file, which is in the table's folder, with its rows.

    Statistics are those of its instants; of text columns they would be as long as the rows.
    """
    footer = pq.read_metadata(path)
    names = footer.schema.to_arrow_schema().names
    ends: dict[str, dict[str, Any]] = {"minValues": {}, "maxValues": {}}
    for position, name in enumerate(names):
        groups = [
            footer.row_group(each).column(position).statistics
            for each in range(footer.num_row_groups)
        ]
        if groups and all(one and isinstance(one.min, dt.datetime) for one in groups):
            ends["minValues"][name] = _text(min(one.min for one in groups))
            ends["maxValues"][name] = _text(max(one.max for one in groups))
    stats = json.dumps({"numRecords": footer.num_rows, **ends, "nullCount": {}})
    stat = path.stat()
    modified = stat.st_mtime_ns // 1_000_000
    return AddAction(path.name, stat.st_size, {}, modified, data_change=True, stats=stats)


def replace_all(folder: Path, schema: pa.Schema, adds: list[AddAction], description: str) -> None:
    """Commit files as the whole content of a Delta table; it is created if it does not exist."""
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
            configuration={**RETENTION},
            commit_properties=properties,
        )


def replace_days(
    folder: Path,
    adds: Sequence[AddAction],
    column: DayColumn,
    days: Sequence[tuple[dt.date, dt.date]],
    description: str,
    *,
    small_rows: int = SMALL_ROWS,
) -> None:
    """Replace the rows of ranges of days, both ends included, by the rows of files, in one commit.

    Files that hold other days too are rewritten without the replaced days. Small remainders and
    small new files are merged into one file.
    """
    table = DeltaTable(str(folder))
    schema = pa.schema(table.schema().to_arrow())
    touched = [
        file
        for file in files_of_table(folder, column)
        if any(file.touches(*range_) for range_ in days)
    ]
    remainders = [_remainder(file, column, days, schema) for file in touched]
    small = [remainder for remainder in remainders if 0 < remainder.num_rows < small_rows]
    actions: list[AddAction | RemoveAction] = [
        *(_merge_small(folder, adds, small, column, small_rows) if small else adds),
        *(
            write_file(remainder, folder)
            for remainder in remainders
            if remainder.num_rows >= small_rows
        ),
        *(removal_of(Path(file.path)) for file in touched),
    ]
    properties = CommitProperties(custom_metadata={"userMetadata": description})
    table.create_write_transaction(actions, "append", table.schema(), commit_properties=properties)


def _remainder(
    file: DayFile,
    column: DayColumn,
    days: Sequence[tuple[dt.date, dt.date]],
    schema: pa.Schema,
) -> pa.Table:
    """Return the rows of a file outside of all the ranges of days."""
    rows = ds.dataset(file.path, format=PARQUET)
    replaced: pc.Expression = reduce(or_, (column.between(rows.schema, *range_) for range_ in days))
    return rows.to_table(filter=~replaced).cast(schema)


def _merge_small(
    folder: Path,
    adds: Sequence[AddAction],
    remainders: list[pa.Table],
    column: DayColumn,
    small_rows: int,
) -> list[AddAction]:
    """Merge small remainders and small new files into one, by day; return all files to add."""
    is_small = {add.path: _rows(add, small_rows) < small_rows for add in adds}
    schema = remainders[0].schema
    parts = [
        ds.dataset(str(folder / path), format=PARQUET).to_table().cast(schema)
        for path, small in is_small.items()
        if small
    ]
    merged = pa.concat_tables([*remainders, *parts]).sort_by(column.name)
    for path, small in is_small.items():
        if small:
            (folder / path).unlink()
    return [write_file(merged, folder), *(add for add in adds if not is_small[add.path])]


def _rows(add: AddAction, unknown: int) -> int:
    return int(json.loads(add.stats or "{}").get("numRecords", unknown))


def removal_of(path: Path) -> RemoveAction:
    """Return the action that removes a file from its Delta table."""
    now = time.time_ns() // 1_000_000
    return RemoveAction(path.name, True, now, path.stat().st_size, {})  # noqa: FBT003 - positional only


def _statistics(table: pa.Table) -> dict[str, Any]:
    """Return the statistics of a file in the format of the Delta log."""
    names = table.column_names[:_STATISTICS_COLUMNS]
    ends = {name: pc.min_max(table[name]).as_py() for name in names}
    known = {name: end for name, end in ends.items() if end["min"] is not None}
    return {
        "numRecords": table.num_rows,
        "minValues": {name: _text(end["min"]) for name, end in known.items()},
        "maxValues": {name: _text(end["max"]) for name, end in known.items()},
        "nullCount": {name: table[name].null_count for name in names},
    }


def _text(value: Any) -> Any:  # noqa: ANN401 - a value of any column, as JSON has it
    if isinstance(value, dt.datetime):
        at = value.astimezone(dt.UTC)  # cut to milliseconds, as Spark does it and allows for
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    return value.isoformat() if isinstance(value, dt.date) else value


def _day(value: dt.date | None) -> dt.date | None:
    return value.date() if isinstance(value, dt.datetime) else value
