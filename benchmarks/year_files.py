"""Synthetic years as source files in the schema of the New York data, for `ingest` to read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final, Literal, get_args

import polars as pl

from benchmarks.real_year import package_csv, package_path, real_flights, real_weather
from benchmarks.synthetic_rows import (
    REAL_DAYS,
    SYNTHETIC,
    days_of_year,
    synthetic_flights,
    synthetic_weather,
)
from features.declare import columns as c
from features.silver.raw import FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.silver_weather import MEASURED
from ontime_base.configuration import conf_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FileFormat = Literal["csv", "jsonl", "parquet"]
FORMATS: Final[tuple[str, ...]] = get_args(FileFormat)
_NEW_YORK: Final = "America/New_York"
_AS_THEY_ARE: Final = ("planes", "airports", "airlines")
_SUPPLEMENT: Final = "airports_supplement.csv"


def write_source_files(
    folder: Path, *, years: int, file_format: FileFormat, seed: int = 0, days: int = REAL_DAYS
) -> int:
    """Write consecutive synthetic years as source files, a folder for each source.

    Planes, airports and airlines are the real ones. The same arguments give the same rows.

    Args:
        folder: Where to write; what it held of this kind before is removed.
        years: How many years.
        file_format: Of flights and weather.
        seed: Another seed, other delays, cancellations and aircraft.
        days: How many days of each year, from its first: a smaller world for tests.

    Returns:
        The number of flights.
    """
    for source in RAW_COLUMNS:
        shutil.rmtree(folder / source, ignore_errors=True)
        (folder / source).mkdir(parents=True)
    for source in _AS_THEY_ARE:
        shutil.copy(package_path(f"{source}.csv"), folder / source)
    shutil.copy(conf_folder() / _SUPPLEMENT, folder / "airports")
    (folder / "README.md").write_text(_notice(folder, years, seed), encoding="utf-8")
    real, observed, zones = real_flights(), real_weather(), _zones()
    rows = 0
    for year in range(years):
        length = days_of_year(year, years, days)
        name = f"{SYNTHETIC}_seed-{seed}_year-{year:02d}.{file_format}"
        flights = raw_flights(synthetic_flights(real, year=year, seed=seed, days=length), zones)
        weather = raw_weather(synthetic_weather(observed, year=year, seed=seed, days=length))
        _WRITERS[file_format](flights, folder / FLIGHTS / name)
        _WRITERS[file_format](weather, folder / WEATHER / name)
        rows += flights.height
    return rows


def raw_flights(silver: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Return silver flights as the source files have them: local dates and clocks, and UTC hours.

    Args:
        silver: Rows of `synthetic_flights`.
        zones: The time zone of each airport: `dest` and `zone`.
    """
    local = pl.col(c.SCHEDULED_DEPARTURE).dt.convert_time_zone(_NEW_YORK)
    due = pl.col("due").dt.hour().cast(pl.Int32) * 60 + pl.col("due").dt.minute()
    leaves = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    rows = silver.join(zones, left_on=c.DESTINATION, right_on="dest", maintain_order="left")
    rows = pl.concat(
        part.with_columns(
            pl.col(c.SCHEDULED_ARRIVAL)
            .dt.convert_time_zone(str(zone))
            .dt.replace_time_zone(None)
            .alias("due")
        )
        for (zone,), part in rows.group_by("zone", maintain_order=True)
    ).sort(c.SCHEDULED_DEPARTURE, c.FLIGHT_ID)
    made = rows.select(
        year=local.dt.year(),
        month=local.dt.month(),
        day=local.dt.day(),
        dep_time=_clock(leaves + pl.col(c.DEPARTURE_DELAY)),
        sched_dep_time=_clock(leaves),
        dep_delay=c.DEPARTURE_DELAY,
        arr_time=_clock(due + pl.col(c.ARRIVAL_DELAY)),
        sched_arr_time=_clock(due),
        arr_delay=c.ARRIVAL_DELAY,
        carrier=c.CARRIER,
        flight=c.FLIGHT_NUMBER,
        tailnum=c.TAIL_NUMBER,
        origin=c.ORIGIN,
        dest=c.DESTINATION,
        air_time=c.AIR_TIME,
        distance=c.DISTANCE,
        hour=local.dt.hour(),
        minute=local.dt.minute(),
        time_hour=_utc_hour(c.SCHEDULED_DEPARTURE),
    )
    return made.select(RAW_COLUMNS[FLIGHTS])


def raw_weather(silver: pl.DataFrame) -> pl.DataFrame:
    """Return silver weather as the source files have it."""
    local = pl.col(c.OBSERVED).dt.convert_time_zone(_NEW_YORK)
    made = silver.select(
        pl.col(c.AIRPORT).alias("origin"),
        local.dt.year().alias("year"),
        local.dt.month().alias("month"),
        local.dt.day().alias("day"),
        local.dt.hour().alias("hour"),
        *(pl.col(field.name).alias(field.raw) for field in MEASURED),
        _utc_hour(c.OBSERVED).alias("time_hour"),
    )
    return made.select(RAW_COLUMNS[WEATHER])


def _clock(minutes: pl.Expr) -> pl.Expr:
    """Return minutes since midnight, of any day, as the files write clocks: 517."""
    of_day = minutes.mod(1440)
    return (of_day // 60 * 100 + of_day.mod(60)).cast(pl.Int32)


def _utc_hour(column: str) -> pl.Expr:
    return pl.col(column).dt.truncate("1h").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _zones() -> pl.DataFrame:
    supplement = pl.read_csv(conf_folder() / _SUPPLEMENT, infer_schema=False)
    tables = (package_csv("airports.csv").cast(pl.String), supplement)
    return pl.concat(
        table.select(pl.col("faa").alias("dest"), pl.col("tzone").alias("zone")) for table in tables
    ).unique("dest", keep="last")


_WRITERS: Final[dict[str, Callable[[pl.DataFrame, Path], None]]] = {
    "csv": lambda rows, path: rows.write_csv(path, null_value="NA"),
    "jsonl": lambda rows, path: rows.write_ndjson(path),
    "parquet": lambda rows, path: rows.write_parquet(path),
}


def _notice(folder: Path, years: int, seed: int) -> str:
    sources = "\n".join(f"  {source}: {folder / source}" for source in RAW_COLUMNS)
    return f"""# SYNTHETIC data

{years} synthetic year(s) from seed {seed}, made from the flights of 2013 by
`python -m benchmarks.years`. No flight in `flights/` took place, and no weather in `weather/` was
observed: for tests of scale only. Planes, airports and airlines are the real ones.

To ingest it, put this into the file of your environment in `conf/`:

```yaml
sources:
{sources}
```
"""
