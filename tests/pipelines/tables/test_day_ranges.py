"""Ranges of days, and their invariant: features of days out of reach of a change do not change."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declare import columns as c
from features.offline.blocks import EVERY_DAY, LOOK_AHEAD_DAYS, LOOK_BACK_DAYS, DayRange
from features.offline.feature_table import features_table
from pipelines.tables.day_ranges import (
    affected_by,
    count_days,
    merged,
    months_of,
    ranges_of,
    sql_of,
)
from tests.features.factories import flight, flights_table, observation, weather_table

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = dt.timedelta(days=1)
MARCH = dt.date(2013, 3, 1)
DAYS = st.dates(MARCH, MARCH + 120 * DAY)


def days_in(ranges: Sequence[DayRange]) -> set[dt.date]:
    found: set[dt.date] = set()
    for one in ranges:
        assert one.first is not None
        assert one.last is not None
        found |= {one.first + number * DAY for number in range((one.last - one.first).days + 1)}
    return found


@given(st.sets(DAYS))
def test_days_and_their_ranges_are_the_same_days(days: set[dt.date]) -> None:
    ranges = ranges_of(days)
    assert days_in(ranges) == days
    assert count_days(ranges) == len(days)
    assert merged([*ranges, *reversed(ranges)]) == ranges
    gaps = itertools.pairwise(ranges)
    assert all(a.last and b.first and a.last + DAY < b.first for a, b in gaps)


@given(st.sets(DAYS))
def test_months_are_whole_and_no_more_than_the_days_need(days: set[dt.date]) -> None:
    months = days_in(months_of(days))
    assert days <= months
    assert {(day.year, day.month) for day in months} == {(day.year, day.month) for day in days}
    assert all((day + DAY).month != day.month or day + DAY in months for day in months)


@pytest.mark.parametrize(
    ("ranges", "is_instant", "sql"),
    [
        ((), False, "false"),
        ((EVERY_DAY,), True, "true"),
        ((DayRange(MARCH, MARCH),), False, "(d >= DATE'2013-03-01' AND d <= DATE'2013-03-01')"),
        (
            (DayRange(None, MARCH), DayRange(dt.date(2013, 4, 1), None)),
            True,
            "(d < TIMESTAMP'2013-03-02 00:00:00Z') OR (d >= TIMESTAMP'2013-04-01 00:00:00Z')",
        ),
    ],
)
def test_ranges_become_sql_conditions(
    ranges: tuple[DayRange, ...], *, is_instant: bool, sql: str
) -> None:
    assert sql_of(ranges, "d", is_instant=is_instant) == sql


def test_ranges_without_ends_swallow_what_is_beyond() -> None:
    open_end = DayRange(MARCH, None)
    assert merged([DayRange(MARCH + DAY, MARCH + DAY), open_end]) == (open_end,)
    assert merged([EVERY_DAY, open_end]) == (EVERY_DAY,)
    assert affected_by([EVERY_DAY], (MARCH, MARCH)) == (EVERY_DAY,)


def test_a_changed_day_affects_the_days_within_look_back_and_flight_time() -> None:
    # Given a changed day in the middle, at the end, and after the end of the flights
    flights = (MARCH, MARCH + 100 * DAY)
    for number, first, last in (
        (50, 50 - LOOK_AHEAD_DAYS - 1, 50 + LOOK_BACK_DAYS + 1),
        (100, 100 - LOOK_AHEAD_DAYS - 1, 100),
        (103, 103 - LOOK_AHEAD_DAYS - 1, 103),
        (0, 0, LOOK_BACK_DAYS + 1),
    ):
        changed = DayRange(MARCH + number * DAY, MARCH + number * DAY)
        # Then the days from a little before it to a look-back after it are affected
        wanted = DayRange(MARCH + first * DAY, MARCH + last * DAY)
        assert affected_by([changed], flights) == (wanted,)


World = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def features_of(world: World, ranges: Sequence[DayRange] | None = None) -> dict[str, Any]:
    """Return the feature rows by flight, of all days, or of ranges computed from their halo."""
    flights, weather = flights_table(world[0]), weather_table(world[1])
    if ranges is None:
        wanted = np.ones(flights.num_rows, dtype=np.bool_)
        rows = features_table(flights, weather, wanted, horizon_min=120).to_pylist()
        return {row[c.FLIGHT_ID]: row for row in rows}
    found: dict[str, Any] = {}
    for one in ranges:
        near = one.widened(LOOK_BACK_DAYS + 1, LOOK_AHEAD_DAYS + 1)
        halo = flights.filter(_within(flights[c.FLIGHT_DATE], near))
        seen = weather.filter(_within(weather[c.KNOWN].cast(pa.date32()), near))
        own = _within(halo[c.FLIGHT_DATE], one).to_numpy().astype(np.bool_)
        for row in features_table(halo, seen, own, horizon_min=120).to_pylist():
            found[row[c.FLIGHT_ID]] = row
    return found


def _within(days: pa.ChunkedArray, one: DayRange) -> pa.ChunkedArray:
    return pc.and_(
        pc.greater_equal(days, pa.scalar(one.first)), pc.less_equal(days, pa.scalar(one.last))
    )


def late_world(pick: random.Random, days: int = 90) -> World:
    """Return a flight or two a day, and weather every six hours."""
    flights = []
    for number in range(days * 3 // 2):
        keys = {
            c.FLIGHT_NUMBER: number,
            c.TAIL_NUMBER: pick.choice(["N1", "N2"]),
            c.ORIGIN: pick.choice(["JFK", "EWR"]),
        }
        departs = number * 960 + pick.randrange(900)
        flights.append(
            flight(departs, delay=pick.choice([None, 0, 30]), late=pick.choice([5, 60]), **keys)
        )
    return flights, [observation(hour * 360) for hour in range(days * 4)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_only_the_days_in_reach_of_late_and_corrected_data_change(seed: int) -> None:
    # Given a feature table, and flights and weather that come late, go or are corrected
    pick = random.Random(seed)
    before = late_world(pick)
    flights, weather = (list(rows) for rows in before)
    changed: set[dt.date] = set()
    for _ in range(pick.randrange(1, 4)):
        place = pick.randrange(len(flights))
        old = flights.pop(place)
        changed.add(old[c.FLIGHT_DATE])
        if pick.random() < 0.7:
            minute = int(
                (
                    old[c.SCHEDULED_DEPARTURE] - dt.datetime(2013, 3, 1, tzinfo=dt.UTC)
                ).total_seconds()
                // 60
            )
            keys = {name: old[name] for name in (c.FLIGHT_NUMBER, c.TAIL_NUMBER, c.ORIGIN)}
            flights.append(flight(minute, delay=200, late=230, **keys))
    place = pick.randrange(len(weather))
    changed.add(weather[place][c.KNOWN].date())
    weather[place] = weather[place] | {c.TEMPERATURE: 99.0}
    pick.shuffle(flights)
    # When only the days in reach are computed again
    dates = [row[c.FLIGHT_DATE] for row in before[0]]
    reach = affected_by(ranges_of(changed), (min(dates), max(dates)))
    gone = days_in(reach)
    unchanged = {
        key: row for key, row in features_of(before).items() if row[c.FLIGHT_DATE] not in gone
    }
    repaired = unchanged | features_of((flights, weather), reach)
    # Then the table is what computing everything gives, bit for bit
    assert repr(sorted(repaired.items())) == repr(sorted(features_of((flights, weather)).items()))
