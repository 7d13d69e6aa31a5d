"""Some weeks of the real flights and weather as silver rows, made without Spark."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import polars as pl

from benchmarks.real_year import real_flights, real_weather, with_events
from features.declare import columns as c
from features.leaks.counterfactual import Dataset

FIRST = dt.datetime(2013, 10, 15, tzinfo=dt.UTC)
LAST = dt.datetime(2013, 11, 10, tzinfo=dt.UTC)  # clocks change on November 3


@lru_cache
def real_world() -> Dataset:
    """Return the flights of 26 days, and the weather from a day before them on."""
    flights = real_flights().filter(pl.col(c.SCHEDULED_DEPARTURE).is_between(FIRST, LAST))
    weather = real_weather().filter(
        pl.col(c.OBSERVED).is_between(FIRST - dt.timedelta(days=1), LAST)
    )
    numbered = with_events(flights).with_columns(pl.int_range(pl.len()).alias(c.SOURCE_ROW))
    return Dataset(numbered.to_arrow(), weather.to_arrow())
