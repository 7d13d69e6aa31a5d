"""The tables that engines wrote, read back and compared row by row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.work import NAMES
from features.declare import columns as c

if TYPE_CHECKING:
    from pathlib import Path

TOLERANCE: Final = 1e-9


def written(folder: Path) -> pl.DataFrame:
    """Return a written table, by flight: of a Delta table, the files of its last version."""
    log = sorted((folder / "_delta_log").glob("*.json"))
    files = _live_files(log) if log else [path.name for path in folder.glob("*.parquet")]
    parts = [pl.read_parquet(folder / name) for name in files]
    return pl.concat([_in_utc(part) for part in parts]).sort(c.FLIGHT_ID)


def differences(ours: pl.DataFrame, theirs: pl.DataFrame) -> dict[str, int]:
    """Return how many rows differ, by column that has any; empty when the tables are equal.

    Features are equal when both are null or both are within `TOLERANCE`; all else is equal exactly.
    """
    if ours.height != theirs.height or ours.columns != theirs.columns:
        return {"rows or columns": max(ours.height, theirs.height)}
    counts = {}
    for name in ours.columns:
        left, right = ours[name], theirs[name]
        if name in NAMES:
            gap = (left - right).abs().fill_null(0.0) > TOLERANCE
            differ = gap | (left.is_null() != right.is_null())
        else:
            differ = left.ne_missing(right.cast(left.dtype))
        counts[name] = int(differ.sum())
    return {name: count for name, count in counts.items() if count}


def has_statistics(folder: Path) -> bool:
    """Return whether every file of a Delta table has statistics in the table's log."""
    log = sorted((folder / "_delta_log").glob("*.json"))
    adds = [action["add"] for action in _actions(log) if "add" in action]
    return bool(adds) and all('"minValues"' in (add.get("stats") or "") for add in adds)


def _actions(log: list[Path]) -> list[dict[str, dict[str, str]]]:
    return [json.loads(line) for path in log for line in path.read_text().splitlines()]


def _live_files(log: list[Path]) -> list[str]:
    live: dict[str, None] = {}
    for action in _actions(log):
        if "add" in action:
            live[action["add"]["path"]] = None
        if "remove" in action:
            live.pop(action["remove"]["path"], None)
    return list(live)


def _in_utc(part: pl.DataFrame) -> pl.DataFrame:
    """Return the part with its instants in UTC, to the microsecond, as Spark means them."""
    zoned = [
        pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        if dtype == pl.Datetime("ns") or dtype == pl.Datetime("us")
        else pl.col(name)
        for name, dtype in part.schema.items()
    ]
    return part.select(zoned)
