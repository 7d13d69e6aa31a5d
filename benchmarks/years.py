"""Synthetic years for tests of scale, as silver tables or as source files.

python -m benchmarks.years --years 3 --to data/synthetic --format csv    # source files
python -m benchmarks.years --years 10 --folder .ontime/bench/years-10    # silver tables
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.real_year import real_flights, real_weather
from benchmarks.synthetic_rows import (
    REAL_DAYS,
    SYNTHETIC,
    days_of_year,
    synthetic_flights,
    synthetic_weather,
)
from benchmarks.year_files import FORMATS, write_source_files

if TYPE_CHECKING:
    from collections.abc import Sequence

FLIGHTS: Final = "silver_flights"
WEATHER: Final = "silver_weather"

_ROW_GROUP: Final = 65_536  # about two months of flights


def main(argv: Sequence[str] | None = None) -> None:
    """Write synthetic years as the arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.years",
        description="Write SYNTHETIC years, made from the flights of 2013: no flight took place.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=Path, help="write source files there, for ingest to read")
    where.add_argument("--folder", type=Path, help="write silver tables there, for benchmarks")
    parser.add_argument(
        "--format", choices=FORMATS, default="csv", help="of the source files (csv)"
    )
    parser.add_argument("--years", type=int, default=1, help="how many years (1)")
    parser.add_argument("--days", type=int, default=REAL_DAYS, help="days of each (all)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other years (0)")
    given = parser.parse_args(argv)
    amount = {"years": given.years, "seed": given.seed, "days": given.days}
    if given.to is None:
        rows, where_to = write_years(given.folder, **amount), given.folder
    else:
        rows = write_source_files(given.to.absolute(), file_format=given.format, **amount)
        where_to = given.to / "README.md"
    print(f"years: wrote {rows:,} SYNTHETIC flights, none of which took place: see {where_to}")


def write_years(folder: Path, *, years: int, seed: int = 0, days: int = REAL_DAYS) -> int:
    """Write silver flights and weather of consecutive synthetic years as Parquet files.

    One file per table and year, in `silver_flights` and `silver_weather` below the folder, sorted
    by time. The same arguments give the same rows.

    Args:
        folder: Where to write; what it held before is removed.
        years: How many years.
        seed: Another seed, other delays, cancellations and aircraft.
        days: How many days of each year, from its first: a smaller world for tests.

    Returns:
        The number of flights.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for table in (FLIGHTS, WEATHER):
        (folder / table).mkdir(parents=True)
    (folder / "SYNTHETIC.md").write_text(_notice(years, seed), encoding="utf-8")
    real, observed = real_flights(), real_weather()
    rows = 0
    for year in range(years):
        length = days_of_year(year, years, days)
        name = f"{SYNTHETIC}-year-{year:02d}.parquet"
        flights = synthetic_flights(real, year=year, seed=seed, days=length)
        weather = synthetic_weather(observed, year=year, seed=seed, days=length)
        flights.write_parquet(folder / FLIGHTS / name, row_group_size=_ROW_GROUP)
        weather.write_parquet(folder / WEATHER / name)
        rows += flights.height
    return rows


def _notice(years: int, seed: int) -> str:
    return (
        f"# Synthetic data\n\n{years} synthetic year(s) from seed {seed}, made from the flights of "
        "2013 by `benchmarks/years.py`.\nNo flight in here took place. For tests of scale only.\n"
    )


if __name__ == "__main__":
    main()
