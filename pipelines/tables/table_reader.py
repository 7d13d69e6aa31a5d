"""A reader of tables into Arrow, without Spark where that is possible.

Tables on this machine's disk are read from their files, in a second and without a session.
Elsewhere, for tables with a later Delta protocol, and where deltalake is not installed, Spark
reads, with equal result. Rows come in no order.
"""

from __future__ import annotations

import datetime as dt
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from pipelines.tables.delta_tables import TableMissingError, missing_table
from pipelines.tables.locations import local_folder, uri_of

try:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError
except ImportError:  # some platforms have none
    DeltaTable = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame

    from pipelines.tables.delta_tables import Tables

_READ = ds.ParquetReadOptions(coerce_int96_timestamp_unit="us")
_UTC = pa.timestamp("us", tz="UTC")


class Period(NamedTuple):
    """Rows wanted by an instant; a row without the instant is never in a period.

    Attributes:
        column: The instant.
        since: Its first; None: any.
        until: The one after its last; None: any.
    """

    column: str
    since: dt.datetime | None = None
    until: dt.datetime | None = None


class TableReader:
    """Reads tables; it never writes.

    Args:
        root: Where the tables are, as for `Tables`.
        tables: Returns the same tables read by Spark; called only where they have to be.
    """

    def __init__(self, root: str, tables: Callable[[], Tables]) -> None:
        self._root = root
        self._tables = tables

    def uri(self, name: str) -> str:
        """Return where a table is."""
        return uri_of(self._root, name)

    def exists(self, name: str) -> bool:
        """Return whether a table has ever been written."""
        folder = self._folder(name)
        if folder is None:
            return self._tables().exists(name)
        return DeltaTable.is_deltatable(str(folder))

    def version(self, name: str) -> int:
        """Return the number of a table's last commit.

        Raises:
            TableMissingError: There is no such table.
        """
        table = self._table(name)
        return self._tables().version(name) if table is None else table.version()

    def rows(
        self,
        name: str,
        columns: Sequence[str],
        *,
        version: int | None = None,
        period: Period | None = None,
        known: str | None = None,
    ) -> pa.Table:
        """Return rows of a table; instants are in UTC.

        Args:
            name: The table.
            columns: The columns to return.
            version: The commit that left the rows; None: the last.
            period: Which rows are wanted; None: all.
            known: Leave out the rows in which this column is null.

        Raises:
            TableMissingError: There is no such table or version.
        """
        files = self._files(name, version)
        if files is None:
            frame = self._tables().read(name, version)
            found = _chosen(frame, period, known).select(*columns).toArrow()
        else:
            condition = _condition(files.schema, period, known)
            found = files.to_table(columns=list(columns), filter=condition)
        return _in_utc(found)

    def counts(self, name: str, column: str) -> Mapping[Any, int]:
        """Return how many rows there are of each value; a column of instants by their UTC days."""
        files = self._files(name)
        if files is None:
            from pyspark.sql import functions as F  # noqa: PLC0415 - only where Spark reads

            frame = self._tables().read(name).select(F.col(column).alias("value"))
            if dict(frame.dtypes)["value"] == "timestamp":
                frame = frame.withColumn("value", F.to_date("value"))
            table = frame.groupBy("value").count().toArrow()
        else:
            values = self.rows(name, [column])[column]
            if pa.types.is_timestamp(values.type):
                values = values.cast(pa.date32())
            table = pa.table({"value": values}).group_by("value").aggregate([([], "count_all")])
            table = table.rename_columns({"count_all": "count"})
        return dict(zip(table["value"].to_pylist(), table["count"].to_pylist(), strict=True))

    def newest(
        self, name: str, column: str, *, until: dt.datetime | None = None
    ) -> dt.datetime | None:
        """Return the last instant of a column, up to one if it is given; None if it has none."""
        files = self._files(name)
        if files is None:
            from pyspark.sql import functions as F  # noqa: PLC0415 - only where Spark reads

            frame = self._tables().read(name)
            if until is not None:
                frame = frame.where(F.col(column) <= F.lit(until))
            values = _in_utc(frame.agg(F.max(column).alias(column)).toArrow())[column]
        else:
            values = self.rows(name, [column])[column]
            if until is not None:
                values = values.filter(pc.less_equal(values, pa.scalar(until, _UTC)))
        last: dt.datetime | None = pc.max(values).as_py()
        return last

    def count(self, name: str) -> int:
        """Return the number of rows of a table."""
        files = self._files(name)
        return self._tables().count(name) if files is None else files.count_rows()

    def columns(self, name: str) -> list[str]:
        """Return the names of a table's columns."""
        files = self._files(name)
        return self._tables().read(name).columns if files is None else files.schema.names

    def _files(self, name: str, version: int | None = None) -> ds.Dataset | None:
        """Return the files of a table's version, or None where Spark has to read them."""
        table = self._table(name, version)
        # Deletion vectors and renamed columns need a later reader protocol: Spark reads those.
        if table is None or table.protocol().min_reader_version != 1:
            return None
        files = files_of(self.uri(name))
        return table.to_pyarrow_dataset(filesystem=files, parquet_read_options=_READ)

    def _table(self, name: str, version: int | None = None) -> DeltaTable | None:
        folder = self._folder(name)
        if folder is None:
            return None
        if not DeltaTable.is_deltatable(str(folder)):
            raise missing_table(name, self._root)
        table = DeltaTable(str(folder))
        if version is None or version == table.version():
            return table
        try:
            return DeltaTable(str(folder), version=version)
        except DeltaError as error:
            raise TableMissingError(
                f"Table {name} has no version {version} (any more): its last is {table.version()}."
            ) from error

    def _folder(self, name: str) -> Path | None:
        return None if DeltaTable is None else local_folder(self.uri(name))


def files_of(uri: str) -> fs.FileSystem | None:
    """Return the file system by which Arrow reads a table's files; None: that of deltalake.

    On this machine's disk it is Arrow's own. Through deltalake's, Arrow's threads read through
    Python objects and release them after the read: when the interpreter ends meanwhile, the process
    aborts ("terminate called without an active exception").
    """
    folder = local_folder(uri)
    return None if folder is None else fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())


def _condition(schema: pa.Schema, period: Period | None, known: str | None) -> pc.Expression | None:
    conditions = []
    if known is not None:
        conditions.append(pc.field(known).is_valid())
    if period is not None:
        column, kind = pc.field(period.column), schema.field(period.column).type
        if period.since is not None:
            conditions.append(column >= _scalar(period.since, kind))
        if period.until is not None:
            conditions.append(column < _scalar(period.until, kind))
    return reduce(and_, conditions) if conditions else None


def _scalar(at: dt.datetime, kind: pa.DataType) -> pa.Scalar:
    """Return an instant as a column has it: Spark's own kind (INT96) is read without a zone."""
    at = at.astimezone(dt.UTC)
    return pa.scalar(at if kind.tz else at.replace(tzinfo=None), kind)


def _chosen(frame: DataFrame, period: Period | None, known: str | None) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: PLC0415 - only where Spark reads

    if known is not None:
        frame = frame.where(F.col(known).isNotNull())
    if period is not None and period.since is not None:
        frame = frame.where(F.col(period.column) >= F.lit(period.since))
    if period is not None and period.until is not None:
        frame = frame.where(F.col(period.column) < F.lit(period.until))
    return frame


def _in_utc(table: pa.Table) -> pa.Table:
    """Return a table whose instants have the zone UTC."""
    instants = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    for name in instants:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(_UTC))
    return table
