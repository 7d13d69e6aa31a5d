"""Small Delta tables on this disk, written without Spark, as ingest leaves them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import write_deltalake

from features.declare import columns as c
from features.silver.raw import RAW_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

INGESTED = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def write_table(home: Path, name: str, rows: list[dict[str, Any]] | pa.Table) -> None:
    """Write a table below a home folder."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    write_deltalake(str(home / "tables" / name), table, mode="overwrite")


def refused(
    source: str, rule: str, reason: str, *, file: str, row: int, received: Any = None, **values: str
) -> dict[str, Any]:
    """Return a row of quarantine; `values` are columns of the row as received."""
    whole = dict.fromkeys(RAW_COLUMNS[source]) | values
    return {
        "source": source,
        "reason": reason,
        "rule": rule,
        "row": received or json.dumps(whole),
        c.SOURCE_FILE: file,
        c.SOURCE_CHECKSUM: "c" * 64,
        c.SOURCE_ROW: row,
        c.INGESTED: INGESTED,
    }
