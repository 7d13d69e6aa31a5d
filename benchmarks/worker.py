"""One engine in a process of its own: the work once to warm up, then once for the clock.

python -m benchmarks.worker polars_engine WARM SOURCE TARGET
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path


def main(engine: str, warm: str, source: str, target: str) -> None:
    """Do the work twice with an engine, and print the seconds of the second time as JSON.

    Args:
        engine: A module of `benchmarks.engines`.
        warm: Folder of the input of the first time.
        source: Folder of the input of the second time.
        target: Where the table is written.
    """
    run = importlib.import_module(f"benchmarks.engines.{engine}").run
    run(Path(warm), Path(f"{target}.warm"))
    started = time.perf_counter()
    run(Path(source), Path(target))
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
