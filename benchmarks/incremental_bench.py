"""`make bench-incremental`: what a new day costs after one year of history, and after ten.

Synthetic years become silver tables, and the feature table of all of them is built. Then day after
day arrives: its rows are added to silver, and the stage `build_features` is run for that day, with
all its checks. Both histories take turns in one Spark session, so that both are equally warm.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from benchmarks.report import machine
from benchmarks.years import DAYS, FLIGHTS, WEATHER, write_years
from features import columns as c
from features.blocks import EVERY_DAY
from pipelines import build_features
from pipelines.columnar import replace_all, write_file
from pipelines.contents import Contents
from pipelines.context import RunContext
from pipelines.feature_table import write_features
from pipelines.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame

    from pipelines.settings import PipelineSettings

HISTORIES: Final = (1, 10)
"""Years of history."""

_WARM_DAYS: Final = 2
_FIRST: Final = dt.date(2013, 1, 1)


@dataclass(frozen=True)
class History:
    """A home with so many years of history, and the days that are still to come.

    Attributes:
        years: How many.
        context: Its tables.
        source: The folder of its synthetic years.
        end: The first day that is still to come.
    """

    years: int
    context: RunContext
    source: Path
    end: dt.date

    def arrive(self, day: dt.date) -> None:
        """Add the rows of a day to silver; of weather, what became known on that UTC day."""
        flights, weather = _silver(self.context, self.source)
        today = F.col(c.FLIGHT_DATE) == F.lit(day)
        known = F.to_date(c.KNOWN) == F.lit(day)
        for name, rows in ((FLIGHTS, flights.where(today)), (WEATHER, weather.where(known))):
            self.context.tables.append_once(name, rows, key=str(day), description="benchmark")

    def build(self, day: dt.date) -> float:
        """Run the stage for a day and return the seconds it took."""
        started = time.perf_counter()
        outcome = build_features.run(self.context, from_day=str(day), to_day=str(day))
        seconds = time.perf_counter() - started
        rows = f"{outcome.outputs['rows']:,} rows"
        print(f"  {self.years:2} year(s): {day} {seconds:6.2f} s, {rows}", flush=True)
        return seconds


def history(settings: PipelineSettings, years: int, days_to_come: int) -> History:
    """Build a home with years of history and the feature table of all of it."""
    source = settings.home / "bench" / f"years-{years}"
    rows = write_years(source, years=years)
    home = settings.home / "bench" / f"history-{years}-{time.time_ns()}"
    context = RunContext(settings.model_copy(update={"home": home}))
    end = _FIRST + dt.timedelta(days=DAYS * years - days_to_come)
    print(f"{years} year(s) of history: {rows:,} SYNTHETIC flights", flush=True)
    for name, before in (
        (FLIGHTS, pc.field(c.FLIGHT_DATE) < end),
        (WEATHER, pc.field(c.KNOWN) < dt.datetime.combine(end, dt.time(), dt.UTC)),
    ):
        _write_silver(source / name, home / "tables" / name, before)
    name = settings.features.table
    started = time.perf_counter()
    write_features(context, name, days=EVERY_DAY)
    print(f"  its feature table was built in {time.perf_counter() - started:.1f} s", flush=True)
    Contents(context.tables, home).after(name, where="true", before=None)
    return History(years, context, source, end)


def _write_silver(source: Path, table: Path, before: pc.Expression) -> None:
    """Make a silver table of the rows that have come by then, a file for each year."""
    years = (pq.read_table(path, filters=before) for path in sorted(source.glob("*.parquet")))
    parts = [year for year in years if year.num_rows]
    adds = [write_file(part, table) for part in parts]
    replace_all(table, parts[0].schema, adds, "benchmark")


def _silver(context: RunContext, source: Path) -> tuple[DataFrame, DataFrame]:
    read = context.spark.read.parquet
    return read(str(source / FLIGHTS)), read(str(source / WEATHER))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description="A new day after a short and a long history.")
    parser.add_argument("--days", type=int, default=7, help="days measured")
    parser.add_argument("--years", type=int, nargs=2, default=HISTORIES)
    arguments = parser.parse_args(argv)
    settings = load_settings()
    to_come = arguments.days + _WARM_DAYS
    short, long = (history(settings, years, to_come) for years in arguments.years)
    seconds: dict[int, list[float]] = {short.years: [], long.years: []}
    for ahead in range(to_come):
        for each in (short, long):
            day = each.end + dt.timedelta(days=ahead)
            each.arrive(day)
            seconds[each.years].append(each.build(day))
    medians = {years: statistics.median(took[_WARM_DAYS:]) for years, took in seconds.items()}
    figures = {
        **{f"day_seconds_{years}y": round(median, 3) for years, median in medians.items()},
        "ratio": round(medians[long.years] / medians[short.years], 3),
        "days_measured": arguments.days,
        "machine": machine(),
    }
    path = write_figures(settings.home, "bench-incremental", figures)
    print("\n".join(f"{name} = {value}" for name, value in figures.items()))
    print(f"bench-incremental: figures in {path}")
    short.context.spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
