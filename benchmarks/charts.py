"""Charts of the benchmark: time and memory against rows, on logarithmic axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.report import Result

_NAMES: Final = {
    "ontime": "Ontime",
    "ontime_spark": "Ontime, Spark reads and writes",
    "polars_engine": "polars",
    "pandas_engine": "pandas",
    "duckdb_engine": "DuckDB",
    "naive_spark": "Spark, a window for each feature",
}


def draw(results: Sequence[Result], folder: Path) -> None:
    """Write `features-time.svg` and `features-memory.svg` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    done = [r for r in results if r.seconds and not r.capped]
    times = {(r.engine, r.rows): r.seconds or 0.0 for r in done}
    memory = {(r.engine, r.rows): r.peak_mb for r in done}
    _chart(times, "seconds", folder / "features-time.svg")
    _chart(memory, "peak resident memory, MB", folder / "features-memory.svg")


def _chart(values: dict[tuple[str, int], float], axis: str, path: Path) -> None:
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for engine, name in _NAMES.items():
        points = sorted((rows, value) for (each, rows), value in values.items() if each == engine)
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="synthetic flights", ylabel=axis)
    axes.set_title("The feature work of benchmarks/work.py, Parquet to written table")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
