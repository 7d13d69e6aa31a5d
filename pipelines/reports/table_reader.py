"""A reader of tables for reports: counts and small reads, without Spark where that is possible.

Tables on this machine's disk are read with Arrow, in a second. Elsewhere, and for tables with a
later Delta protocol, Spark reads.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from pyspark.sql import functions as F

from features.silver.raw import RAW_COLUMNS
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.tables.arrow_files import is_plain, local_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.runtime.context import RunContext

_READ = ds.ParquetReadOptions(coerce_int96_timestamp_unit="us")


class TableReader:
    """Reads the tables of a run's context; it never writes.

    Args:
        context: Settings, and Spark where it is needed.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        settings = context.settings
        self._root = settings.tables.uri or str(settings.home / "tables")
        self._gold = settings.features.table

    def names(self) -> list[str]:
        """Return the tables that there are: bronze, silver, quarantine, and then all others."""
        layers = [layer(source) for layer in (bronze_table, silver_table) for source in RAW_COLUMNS]
        folder, others = local_folder(self._root), [self._gold]
        if folder is not None:
            others = sorted(path.name for path in folder.glob("*/"))
        known = dict.fromkeys((*layers, QUARANTINE, *others))
        return [name for name in known if self.exists(name)]

    def exists(self, name: str) -> bool:
        """Return whether a table has ever been written."""
        folder = local_folder(self._root)
        if folder is None:
            return self._context.tables.exists(name)
        return DeltaTable.is_deltatable(str(folder / name))

    def rows(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Return all rows of some columns of a table that is known to be small."""
        files = self._files(name)
        if files is None:
            return self._context.tables.read(name).select(*columns).toArrow()
        return files.to_table(columns=list(columns))

    def counts(self, name: str, column: str) -> Mapping[Any, int]:
        """Return how many rows there are of each value; a column of instants by their UTC days."""
        files = self._files(name)
        if files is None:
            found = self._context.tables.read(name).select(F.col(column).alias("value"))
            if dict(found.dtypes)["value"] == "timestamp":
                found = found.withColumn("value", F.to_date("value"))
            table = found.groupBy("value").count().toArrow()
        else:
            values = files.to_table(columns=[column])[column]
            if pa.types.is_timestamp(values.type):
                values = values.cast(pa.timestamp("us", tz="UTC")).cast(pa.date32())
            table = pa.table({"value": values}).group_by("value").aggregate([([], "count_all")])
            table = table.rename_columns({"count_all": "count"})
        return dict(zip(table["value"].to_pylist(), table["count"].to_pylist(), strict=True))

    def newest(self, name: str, column: str) -> dt.datetime | None:
        """Return the last instant of a column; None if it has none."""
        files = self._files(name)
        if files is None:
            frame = self._context.tables.read(name)
            values = frame.agg(F.max(column).alias("last")).toArrow()["last"]
        else:
            values = files.to_table(columns=[column])[column]
        last = pc.max(values).as_py()
        return None if last is None else last.replace(tzinfo=last.tzinfo or dt.UTC)

    def count(self, name: str) -> int:
        """Return the number of rows of a table."""
        files = self._files(name)
        return self._context.tables.count(name) if files is None else files.count_rows()

    def columns(self, name: str) -> list[str]:
        """Return the names of a table's columns."""
        files = self._files(name)
        return self._context.tables.read(name).columns if files is None else files.schema.names

    def _files(self, name: str) -> ds.Dataset | None:
        """Return the files of a table's last version, or None where Spark has to read them."""
        folder: Path | None = local_folder(self._root)
        if folder is None or not is_plain(folder / name):
            return None
        return DeltaTable(str(folder / name)).to_pyarrow_dataset(parquet_read_options=_READ)
