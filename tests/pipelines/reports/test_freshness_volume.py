from __future__ import annotations

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports.freshness import Volume, age_of, every_day, sparkline, unusual_days

FIRST = dt.date(2013, 1, 1)
NOW = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def days(*rows: int) -> dict[dt.date, int]:
    return {FIRST + dt.timedelta(days=n): each for n, each in enumerate(rows)}


def weeks(weekday: int, weekend: int, count: int = 10) -> list[int]:
    return ([weekday] * 5 + [weekend] * 2) * count


def test_weekends_are_not_unusual_and_a_poor_day_is() -> None:
    # Given weeks whose weekends are always thin, and one Wednesday that is
    rows = weeks(900, 600)
    rows[30] = 500
    # When they are looked through / Then the Wednesday is told, with what was usual
    (found,) = unusual_days(days(*rows))
    assert (found.day, found.rows, found.usual) == (FIRST + dt.timedelta(days=30), 500, 900)


def test_a_day_without_rows_and_a_flood_are_unusual() -> None:
    rows = weeks(90, 90)
    rows[10], rows[20] = 0, 400
    assert [each.rows for each in unusual_days(days(*rows))] == [0, 400]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=80))
def test_small_counts_that_vary_by_chance_are_not(rows: list[int]) -> None:
    # Given a table of a few rows a day / Then no day is unusual
    assert not unusual_days(days(*rows))


@given(st.dictionaries(st.dates(FIRST, dt.date(2014, 1, 1)), st.integers(1, 9)))
def test_every_day_is_there_and_no_row_is_lost(counts: dict[dt.date, int]) -> None:
    unknown: dict[dt.date | None, int] = {None: 3}
    whole = every_day({**unknown, **dict(counts.items())})
    assert sum(whole.values()) == sum(counts.values())
    ordered = list(whole)
    assert all(b - a == dt.timedelta(days=1) for a, b in pairwise(ordered))


def test_many_days_are_shown_by_month() -> None:
    few = Volume(table="t", rows=3, days=days(1, 2))
    many = Volume(table="t", rows=3, days=days(*[1] * 100))
    assert few.periods() == ("day", [1, 2])
    assert many.periods() == ("month", [31, 28, 31, 10])
    assert Volume(table="t", rows=3, days={}).periods() == ("day", [])


def test_a_sparkline_has_a_block_for_each_value() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([]) == ""


def test_ages_are_told_in_the_largest_unit() -> None:
    for hours, words in ((0, "under 1 hour"), (30, "1 day"), (48, "2 days"), (9000, "1 year")):
        assert age_of(NOW - dt.timedelta(hours=hours), NOW) == words
    assert age_of(None, NOW) == "-"
    assert age_of(NOW + dt.timedelta(days=1), NOW) == "ahead"
