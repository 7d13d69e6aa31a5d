"""Every format, plain and wrapped, as a file, a folder, a glob and a URI, here and in S3."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.silver.raw import RAW_COLUMNS
from pipelines.sources.discovery import find_files
from pipelines.sources.staging import stage_file
from tests.pipelines.conftest import first_days
from tests.pipelines.source_files import INGESTED_AT, csv_text, json_text, parquet_bytes, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.emulated_aws import EmulatedAws

COLUMNS = RAW_COLUMNS["flights"]
FORMATS = ("csv", "jsonl", "parquet")
COMPRESSIONS = ("", ".gz", ".zip")


@lru_cache
def parts() -> list[list[dict[str, str | None]]]:
    """Return real flights of two days."""
    rows: list[dict[str, str | None]] = [dict(r) for r in first_days("flights.csv.zip")]
    return [[row for row in rows if row["day"] == day][:50] for day in ("1", "2")]


def content(kind: str, rows: list[dict[str, str | None]]) -> str | bytes:
    if kind == "parquet":
        return parquet_bytes(pa.Table.from_pylist(rows))
    return csv_text(rows) if kind == "csv" else json_text(rows)


def two_files(folder: Path, kind: str, compression: str) -> None:
    """Write a file for each day, as `flights_0.csv` and so on, and one that is no data."""
    for number, rows in enumerate(parts()):
        written(folder / f"flights_{number}.{kind}{compression}", content(kind, rows))
    written(folder / "README.txt", "not data")


def staged(place: str, folder: Path) -> list[dict[str, Any]]:
    """Return the rows that come of a place."""
    files = [stage_file(file, COLUMNS, folder, at=INGESTED_AT) for file in find_files([place])]
    rows = [row for file in files for row in pq.read_table(file.path).to_pylist()]
    return [{name: row[name] for name in COLUMNS} for row in rows]


@pytest.mark.parametrize("shape", ["file", "folder", "glob", "file URI", "glob URI"])
@pytest.mark.parametrize("compression", COMPRESSIONS, ids=["plain", "gzip", "zip"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_combination_here(tmp_path: Path, kind: str, compression: str, shape: str) -> None:
    # Given the flights of two days in two files
    two_files(tmp_path, kind, compression)
    first = f"flights_0.{kind}{compression}"
    place = {
        "file": str(tmp_path / first),
        "folder": str(tmp_path),
        "glob": str(tmp_path / f"flights_*.{kind}*"),
        "file URI": (tmp_path / first).as_uri(),
        "glob URI": f"{tmp_path.as_uri()}/flights_?.{kind}{compression}",
    }[shape]
    # When the place is staged
    (tmp_path / "staging").mkdir()
    rows = staged(place, tmp_path / "staging")
    # Then the rows are those of the files that it names
    first_day, second_day = parts()
    assert rows == (first_day if shape.startswith("file") else first_day + second_day)


@pytest.mark.aws
@pytest.mark.parametrize(
    ("kind", "compression", "shape"),
    [
        ("csv", "", "file"),
        ("csv", ".gz", "folder"),
        ("csv", ".zip", "glob"),
        ("jsonl", "", "glob"),
        ("jsonl", ".gz", "file"),
        ("parquet", "", "folder"),
        ("parquet", ".zip", "file"),
    ],
)
def test_some_combinations_in_s3(
    aws: EmulatedAws, tmp_path: Path, kind: str, compression: str, shape: str
) -> None:
    # Given the same files in a bucket, with others around them
    two_files(tmp_path / "here", kind, compression)
    bucket, s3 = f"ontime-{uuid.uuid4()}", aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    for path in (tmp_path / "here").iterdir():
        s3.put_object(Bucket=bucket, Key=f"raw/2013/{path.name}", Body=path.read_bytes())
    for key in ("raw/2013/", "raw/2013/deeper/flights_9.csv", "raw/2013x/flights_8.csv"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    name = {"file": f"flights_0.{kind}{compression}", "folder": "", "glob": f"flights_*.{kind}*"}
    # When the place is staged
    rows = staged(f"s3://{bucket}/raw/2013/{name[shape]}", tmp_path)
    # Then the rows are those of the files that it names
    first_day, second_day = parts()
    assert rows == (first_day if shape == "file" else first_day + second_day)
