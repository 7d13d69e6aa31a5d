"""Computes the figures, the table and the log-log slope from the measurements."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.processes import Ending

FLOOR_SCALE: Final = 10
"""Years at which the peers are compared."""

_ONTIME: Final = "ontime"
# Figure, engine, and whether it is their time over ours (else ours over theirs).
_RATIOS: Final = (
    ("vs_naive_spark", "naive_spark", True),
    ("vs_polars", "polars_engine", False),
    ("vs_pandas", "pandas_engine", False),
    ("vs_duckdb", "duckdb_engine", False),
    ("vs_own_spark_plan", "ontime_spark", False),
)


@dataclass(frozen=True)
class Result:
    """The measurement of one engine at one scale.

    Attributes:
        engine: Its name.
        scale: Years of flights.
        rows: Flights.
        ending: How its process ended.
        seconds: Of the run for the clock; None if it did not come to its end.
        cpu_seconds: Of that run, over all cores; None likewise.
        peak_mb: Greatest resident memory of its process and children.
        capped: Whether its memory was limited.
    """

    engine: str
    scale: int
    rows: int
    ending: Ending
    seconds: float | None
    cpu_seconds: float | None
    peak_mb: float
    capped: bool = False


def slope_of(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of log seconds over log rows by least squares: 1 is proportional cost.

    Args:
        points: Rows and seconds, for at least two different numbers of rows.
    """
    x = [math.log(rows) for rows, _ in points]
    y = [math.log(seconds) for _, seconds in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def figures_of(results: Sequence[Result], *, equal: bool, statistics: bool) -> dict[str, Any]:
    """Return the flat figures of the benchmark, without those that were not measured.

    Args:
        results: What every engine did at every scale.
        equal: Whether all engines wrote the same table.
        statistics: Whether every file of Ontime's table has statistics in its log.
    """
    free = {(r.engine, r.scale): r for r in results if not r.capped and r.seconds}
    scales = sorted({r.scale for r in results})
    scale = FLOOR_SCALE if FLOOR_SCALE in scales else scales[-1]
    ours = free.get((_ONTIME, scale))
    figures: dict[str, Any] = {"scale": scale, "equal": equal, "delta_statistics": statistics}
    if ours and ours.seconds:
        figures["rows_per_s"] = round(ours.rows / ours.seconds)
        figures["peak_mb"] = round(ours.peak_mb)
    figures["load_average"] = round(os.getloadavg()[2], 1)
    for name, engine, theirs_first in _RATIOS:
        theirs = free.get((engine, scale))
        if ours and theirs and ours.seconds and theirs.seconds:
            ratio = ours.seconds / theirs.seconds
            figures[name] = round(1 / ratio if theirs_first else ratio, 3)
        if ours and theirs and ours.cpu_seconds and theirs.cpu_seconds:
            ratio = ours.cpu_seconds / theirs.cpu_seconds
            figures[f"{name}_cpu"] = round(1 / ratio if theirs_first else ratio, 3)
    points = [(r.rows, r.seconds) for r in free.values() if r.engine == _ONTIME and r.seconds]
    if len({rows for rows, _ in points}) > 1:
        figures["slope"] = round(slope_of(points), 3)
    figures["scale_max"] = scales[-1]
    return figures | {f"capped_{r.engine}": r.ending for r in results if r.capped}


def text_of(results: Sequence[Result], figures: dict[str, Any]) -> str:
    """Return the table for a person: one line for each engine and scale, then the figures."""
    ours = {r.scale: r.seconds for r in results if r.engine == _ONTIME and not r.capped}
    lines = [
        "| scale | engine | seconds | rows/s | time / ours | peak MB | ended |",
        "|---" * 7 + "|",
    ]
    for r in results:
        scale = f"{r.scale}x" + (" capped" if r.capped else "")
        if r.seconds:
            own = ours.get(r.scale)
            ratio = f"{r.seconds / own:.2f}" if own else ""
            middle = f"{r.seconds:.1f} | {r.cpu_seconds:.1f} | {r.rows / r.seconds:,.0f} | {ratio}"
        else:
            middle = " | | | "
        lines.append(f"| {scale} | {r.engine} | {middle} | {r.peak_mb:,.0f} | {r.ending} |")
    values = [f"{name} = {value}" for name, value in figures.items()]
    return "\n".join([*lines, "", *values])


def machine() -> str:
    """Return a one-line description of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
