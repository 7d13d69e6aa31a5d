"""`make bench-incremental`: the cost of a new day after one and after ten years of history.

Day after day arrives as a CSV file of flights and one of weather, and passes through `ingest`
(bronze, silver, quarantine, every check), then `build_features` (the days in reach, checked, with
the content hash). The two histories alternate in one Spark session, so that both are equally warm.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
from typing import TYPE_CHECKING, Final

from benchmarks.history import history
from benchmarks.report import machine
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

HISTORIES: Final = (1, 10)
"""Years of history."""

_WARM_DAYS: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description="A new day after a short and a long history.")
    parser.add_argument("--days", type=int, default=5, help="days measured")
    parser.add_argument("--years", type=int, nargs=2, default=HISTORIES)
    arguments = parser.parse_args(argv)
    settings = load_settings()
    to_come = arguments.days + _WARM_DAYS
    short, long = (history(settings, years, to_come) for years in arguments.years)
    ingested: dict[int, list[float]] = {short.years: [], long.years: []}
    built: dict[int, list[float]] = {short.years: [], long.years: []}
    for ahead in range(to_come):
        for each in (short, long) if ahead % 2 else (long, short):
            day = each.end + dt.timedelta(days=ahead)
            each.arrive(day)
            ingest_s, build_s, rows = each.run_stages()
            ingested[each.years].append(ingest_s)
            built[each.years].append(build_s)
            parts = f"ingest {ingest_s:6.2f} s, features {build_s:6.2f} s"
            print(f"  {each.years:2} year(s): {day} {parts}, {rows:,} rows", flush=True)
    whole = {
        years: [sum(both) for both in zip(ingested[years], built[years], strict=True)]
        for years in ingested
    }
    days = {years: _median(seconds) for years, seconds in whole.items()}
    figures = {
        **{f"day_seconds_{years}y": days[years] for years in days},
        "ratio": round(days[long.years] / days[short.years], 3),
        **{f"ingest_seconds_{years}y": _median(ingested[years]) for years in days},
        **{f"features_seconds_{years}y": _median(built[years]) for years in days},
        "days_measured": arguments.days,
        "machine": machine(),
    }
    path = write_figures(settings.home, "bench-incremental", figures)
    print("\n".join(f"{name} = {value}" for name, value in figures.items()))
    print(f"bench-incremental: figures in {path}")
    for each in (short, long):
        each.remove()
    short.context.spark.stop()
    return 0


def _median(seconds: Sequence[float]) -> float:
    """Return the median of the days after the first two, which warm up."""
    return round(statistics.median(seconds[_WARM_DAYS:]), 3)


if __name__ == "__main__":
    sys.exit(main())
