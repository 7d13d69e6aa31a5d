"""Source files in every format, built from a few rows; and files that are broken in known ways."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INGESTED_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROWS: list[dict[str, str | None]] = [
    {"faa": "JFK", "name": "Kennedy, J F", "lat": "40.6", "lon": "-73.8", "alt": "13", "tz": "-5",
     "dst": "A", "tzone": "America/New_York"},
    {"faa": "BQN", "name": "Aguadilla", "lat": "18.5", "lon": "-67.1", "alt": "237", "tz": "-4",
     "dst": "N", "tzone": "NA"},
]  # fmt: skip
COLUMNS = tuple(ROWS[0])


def csv_text(rows: Sequence[dict[str, str | None]] = ROWS) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_text(rows: Sequence[dict[str, str | None]] = ROWS) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def written(path: Path, content: str | bytes) -> Path:
    """Write a file, compressed as its name's suffix states, and return its path."""
    body = content.encode() if isinstance(content, str) else content
    if path.suffix == ".gz":
        body = gzip.compress(body)
    if path.suffix == ".zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.name.removesuffix(".zip"), body)
        body = stream.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path
