"""`make bench-features`: Ontime and its peers on the same work, in one run.

Each engine runs in its own process: a warm-up run on one year, then a timed run, from Parquet files
to a written table. What is measured, and what it showed, is in
`benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from benchmarks import charts, tables
from benchmarks.processes import MEGABYTE, watch
from benchmarks.report import Result, figures_of, machine, text_of
from benchmarks.years import write_years
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
ONTIME: Final = "ontime"
ENGINES: Final = {
    ONTIME: 30,
    "polars_engine": 30,
    "pandas_engine": 30,
    "ontime_spark": 10,
    "duckdb_engine": 10,
    "naive_spark": 10,
}
"""The engines, with the greatest scale that each is asked for: the slow ones stop at 10."""

COMPARED_TO: Final = 10
"""Up to this scale every engine's table is compared row by row with Ontime's."""

LIMIT_S: Final = 600
CAP_MB: Final = 3_000
"""Resident memory of the whole process tree under which Ontime has to do the greatest scale."""


def measured(
    engine: str, scale: int, bench: Path, *, limit_s: float = LIMIT_S, capped: bool = False
) -> Result:
    """Run one engine in a process of its own, and return what it did."""
    source, target = bench / f"years-{scale}", bench / f"gold-{engine}-{scale}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(f"{target}.warm", ignore_errors=True)
    worker = [sys.executable, "-m", "benchmarks.worker", engine]
    watched = watch(
        [*worker, str(bench / "years-1"), str(source), str(target)],
        log=bench / f"{target.name}.log",
        environment={**os.environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_DIRS": str(bench)},
        limit_s=limit_s,
        cap_bytes=CAP_MB * MEGABYTE if capped else None,
    )
    done = watched.ending == "done"
    took = json.loads(watched.output.splitlines()[-1]) if done else {}
    peak_mb = watched.peak_bytes / MEGABYTE
    rows = rows_of(source)
    return Result(
        engine,
        scale,
        rows,
        watched.ending,
        took.get("seconds"),
        took.get("cpu_seconds"),
        peak_mb,
        capped=capped,
    )


def rows_of(source: Path) -> int:
    """Return how many flights a folder of years has."""
    count = pl.scan_parquet(source / "silver_flights" / "*.parquet").select(pl.len()).collect()
    return int(count.item())


def equal_tables(bench: Path, engines: Sequence[str], scale: int) -> dict[str, dict[str, int]]:
    """Return, by engine, the columns in which its table differs from Ontime's, with row counts."""
    ours = tables.written(bench / f"gold-{ONTIME}-{scale}")
    return {
        engine: tables.differences(ours, tables.written(bench / f"gold-{engine}-{scale}"))
        for engine in engines
        if engine != ONTIME
    }


def run(
    bench: Path, scales: Sequence[int], engines: Sequence[str], limit_s: float
) -> dict[str, Any]:
    """Measure everything, print it as it comes, and return the figures."""
    bench.mkdir(parents=True, exist_ok=True)
    (bench / "results.jsonl").write_text("", encoding="utf-8")  # one line per result, as it comes
    results: list[Result] = []
    equal: dict[str, dict[str, int]] = {}
    for scale in scales:
        rows = write_years(bench / f"years-{scale}", years=scale)
        print(f"\n{scale}x: {rows:,} SYNTHETIC flights", flush=True)
        present = [engine for engine in engines if ENGINES[engine] >= scale]
        results += [
            _reported(measured(engine, scale, bench, limit_s=limit_s), bench) for engine in present
        ]
        if scale <= COMPARED_TO:
            wrong = equal_tables(bench, present, scale)
            print(f"equal to {ONTIME}'s, row by row: {_verdict(wrong)}", flush=True)
            equal |= {f"{engine} at {scale}x": columns for engine, columns in wrong.items()}
    top = max(scales)
    statistics = tables.has_statistics(bench / f"gold-{ONTIME}-{top}")
    print(f"\n{top}x with the process tree limited to {CAP_MB:,} MB resident", flush=True)
    capped = [engine for engine in engines if ENGINES[engine] >= top]
    results += [
        _reported(measured(engine, top, bench, limit_s=limit_s, capped=True), bench)
        for engine in capped
    ]
    figures = figures_of(results, equal=not any(equal.values()), statistics=statistics)
    figures |= {"cap_mb": CAP_MB, "machine": machine()}
    print("\n" + text_of(results, figures), flush=True)
    charts.draw(results, ROOT / "docs" / "benchmarks")
    return figures


def _reported(result: Result, bench: Path) -> Result:
    took = f"{result.seconds:8.1f} s {result.cpu_seconds:8.1f} CPU s" if result.seconds else ""
    with (bench / "results.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")
    print(f"  {result.engine:14} {result.ending:11} {took} {result.peak_mb:8,.0f} MB", flush=True)
    return result


def _verdict(equal: dict[str, dict[str, int]]) -> str:
    return ", ".join(f"{name} {wrong or 'yes'}" for name, wrong in equal.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its figures; 1 if the engines did not agree."""
    parser = argparse.ArgumentParser(description="Ontime and its peers on the same work.")
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 30], help="in years")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for one process")
    arguments = parser.parse_args(argv)
    home = load_settings().home
    figures = run(home / "bench", arguments.scales, arguments.engines, arguments.limit)
    path = write_figures(home, "bench-features", figures)
    print(f"bench-features: figures in {path}")
    return 0 if figures["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
