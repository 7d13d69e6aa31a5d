"""Runs one engine in its own process: a warm-up run, then a timed run.

python -m benchmarks.worker polars_engine WARM SOURCE TARGET
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import psutil


def main(engine: str, warm: str, source: str, target: str) -> None:
    """Do the work twice with an engine, and print the seconds of the second time as JSON.

    `seconds` are of the clock, `cpu_seconds` of all cores: on a busy machine compare those.

    Args:
        engine: A module of `benchmarks.engines`.
        warm: Folder of the input of the first time.
        source: Folder of the input of the second time.
        target: Where the table is written.
    """
    run = importlib.import_module(f"benchmarks.engines.{engine}").run
    run(Path(warm), Path(f"{target}.warm"))
    cpu, started = _cpu_seconds(), time.perf_counter()
    run(Path(source), Path(target))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "cpu_seconds": _cpu_seconds() - cpu}), flush=True)


def _cpu_seconds() -> float:
    """Return the CPU time of this process and its living children (Java and Python workers)."""
    this = psutil.Process()
    times = [each.cpu_times() for each in (this, *this.children(recursive=True))]
    total: float = sum(each.user + each.system for each in times)
    return total


if __name__ == "__main__":
    main(*sys.argv[1:])
