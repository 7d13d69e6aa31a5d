"""The real flights and weather of 2013 as silver rows, read without Spark and once per process."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import polars as pl

from benchmarks.real_year import real_flights, real_weather, with_events
from features.declare import columns as c
from features.leaks.counterfactual import Dataset

FIRST = dt.datetime(2013, 10, 15, tzinfo=dt.UTC)
LAST = dt.datetime(2013, 11, 10, tzinfo=dt.UTC)  # clocks change on November 3


def real_period(first: dt.datetime, last: dt.datetime, *, weather_from: dt.datetime) -> Dataset:
    """Return the flights scheduled from `first` to `last`, and the weather up to `last`."""
    flights, weather = real_flights(), real_weather()
    chosen = flights.filter(pl.col(c.SCHEDULED_DEPARTURE).is_between(first, last))
    observed = weather.filter(pl.col(c.OBSERVED).is_between(weather_from, last))
    return Dataset(with_events(chosen).to_arrow(), observed.to_arrow())


@lru_cache
def real_weeks() -> Dataset:
    """Return the flights of 26 days, and the weather from a day before them on."""
    data = real_period(FIRST, LAST, weather_from=FIRST - dt.timedelta(days=1))
    numbers = pl.int_range(len(data.flights), eager=True).alias(c.SOURCE_ROW)
    return Dataset(data.flights.append_column(c.SOURCE_ROW, numbers.to_arrow()), data.weather)
