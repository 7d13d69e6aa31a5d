"""Synthetic rows are reproducible from a seed, and consistent."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from benchmarks.real_year import real_flights, real_weather, with_events
from benchmarks.synthetic_rows import synthetic_flights, synthetic_weather
from features.declare import columns as c
from features.declare.streams import MAX_EVENT_LAG_MIN

DAYS = 20


@pytest.fixture(scope="module")
def real() -> pl.DataFrame:
    return real_flights()


@pytest.fixture(scope="module")
def year(real: pl.DataFrame) -> pl.DataFrame:
    return synthetic_flights(real, year=2, seed=7)


def test_the_real_year_has_the_counts_of_the_source(real: pl.DataFrame) -> None:
    # Given the real flights with what follows from them
    flights = with_events(real)
    # Then the counts are those that are known of the source
    status = dict(flights.group_by(c.STATUS).len().iter_rows())
    assert status == {"arrived": 327_346, "cancelled": 8_255, "diverted": 1_175}
    assert flights[c.FLIGHT_ID].n_unique() == 336_776
    # And the year's first flight is the expected one
    first = flights.row(by_predicate=pl.col(c.FLIGHT_ID) == "UA-1545-2013010110", named=True)
    assert first[c.SCHEDULED_ARRIVAL] == dt.datetime(2013, 1, 1, 14, 19, tzinfo=dt.UTC)
    assert first[c.DESTINATION_OFFSET] == -360


def test_a_year_is_the_same_for_a_seed_and_another_for_another(real: pl.DataFrame) -> None:
    # Given the same year made twice, and once from another seed and as another year
    one, again = (synthetic_flights(real, year=1, seed=3, days=DAYS) for _ in range(2))
    others = (
        synthetic_flights(real, year=1, seed=4, days=DAYS),
        synthetic_flights(real, year=2, seed=3, days=DAYS),
    )
    # Then the first two are equal, and the others are no copies
    assert one.equals(again)
    for other in others:
        for column in (c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.TAIL_NUMBER, c.STATUS):
            assert one[column].ne_missing(other[column]).any()


def test_weekdays_stay(real: pl.DataFrame, year: pl.DataFrame) -> None:
    # Given a synthetic year / Then it has as many flights on each weekday as the real one
    weekday = pl.col(c.FLIGHT_DATE).dt.weekday().alias("weekday")
    counts = [frame.group_by(weekday).len().sort("weekday") for frame in (with_events(real), year)]
    assert counts[0].equals(counts[1])


def test_events_follow_from_the_schedule_to_the_minute(year: pl.DataFrame) -> None:
    # Given a synthetic year, Then its events are the schedule and the delays
    for at, scheduled, delay in (
        (c.DEPARTED, c.SCHEDULED_DEPARTURE, c.DEPARTURE_DELAY),
        (c.ARRIVED, c.SCHEDULED_ARRIVAL, c.ARRIVAL_DELAY),
    ):
        gap = (pl.col(at) - pl.col(scheduled)).dt.total_minutes()
        assert year.select(gap.ne_missing(pl.col(delay).cast(pl.Int64)).any()).item() is False
    # And no flight lands before it can, or becomes known too late to be used
    in_air = (pl.col(c.ARRIVED) - pl.col(c.DEPARTED)).dt.total_minutes()
    assert year.select((in_air > pl.col(c.AIR_TIME)).all()).item()
    lag = (pl.col(c.DEPARTURE_KNOWN) - pl.col(c.SCHEDULED_DEPARTURE)).dt.total_minutes()
    assert year.select(lag.max()).item() < MAX_EVENT_LAG_MIN


def test_what_is_known_when(year: pl.DataFrame) -> None:
    # Given a synthetic year, Then each outcome has its known-at times and no others
    known = {
        "arrived": {c.DEPARTURE_KNOWN: c.DEPARTED, c.ARRIVAL_KNOWN: c.ARRIVED},
        "cancelled": {c.CANCELLATION_KNOWN: c.SCHEDULED_DEPARTURE},
        "diverted": {c.DEPARTURE_KNOWN: c.DEPARTED, c.DIVERSION_KNOWN: c.SCHEDULED_ARRIVAL},
    }
    every = {name for names in known.values() for name in names}
    lag = {c.CANCELLATION_KNOWN: 180, c.DIVERSION_KNOWN: 180}
    for status, names in known.items():
        flights = year.filter(pl.col(c.STATUS) == status)
        assert flights.height > 0
        for name in every:
            if name not in names:
                assert flights[name].null_count() == flights.height
                continue
            gap = (pl.col(name) - pl.col(names[name])).dt.total_minutes()
            assert flights.select((gap == lag.get(name, 0)).all()).item()


def test_weather_is_known_an_hour_after_its_hour() -> None:
    # Given synthetic weather / Then the known-at rule holds, and it is not a copy of the real one
    real = real_weather()
    weather = synthetic_weather(real, year=0)
    assert weather.select((pl.col(c.KNOWN) - pl.col(c.OBSERVED) == dt.timedelta(hours=1)).all())[
        0, 0
    ]
    assert weather[c.TEMPERATURE].ne_missing(real[c.TEMPERATURE]).any()
