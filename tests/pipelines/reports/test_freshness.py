"""Freshness: each table with rows and ages; days of unusual volume, as text, page and figures."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declare import columns as c
from pipelines.cli import execute
from pipelines.reports.freshness import Volume, age_of, bars_of, every_day, sparkline, unusual_days
from tests.pipelines.made_tables import INGESTED, refused, write_table

if TYPE_CHECKING:
    from pathlib import Path


FIRST = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
POOR = 40


def flights() -> list[dict[str, Any]]:
    """Return 100 flights a day for ten weeks, but for one day of ten."""
    return [
        {
            c.SCHEDULED_DEPARTURE: FIRST + dt.timedelta(days=day),
            c.FLIGHT_DATE: (FIRST + dt.timedelta(days=day)).date(),
            c.INGESTED: INGESTED,
        }
        for day in range(70)
        for _ in range(10 if day == POOR else 100)
    ]


def test_each_table_has_rows_ages_and_unusual_days(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a silver table with one poor day, a feature table, and a quarantine
    write_table(home, "silver_flights", flights())
    write_table(home, "gold_features_h45", [row for row in flights() if row.pop(c.INGESTED)][:250])
    write_table(home, "quarantine", [refused("flights", "x", "y", file="a.csv", row=1)])
    # When the report is requested
    assert execute(["look", "freshness"]) == 0
    text = capsys.readouterr().out
    # Then each table has its line, months as blocks, and the poor day is named
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "6,910  2025-05-09" in lines["silver_flights"]
    assert lines["silver_flights"].endswith("2026-01-02 03:04  ██▃")
    assert "(by day)" in lines["gold_features_h45"]
    assert lines["quarantine"].split()[1] == "1"
    assert "silver_flights: 1 days of unusual volume" in text
    assert "Thu 2025-04-10       10 rows, usually 100" in text
    # And the page marks it, and the figures have it
    page = (home / "reports" / "freshness.html").read_text()
    assert page.count('class="bad"/>') == 1
    assert "http" not in page
    figures = json.loads((home / "figures" / "freshness.json").read_text())
    assert figures["tables"] == 3
    assert figures["rows"] == 6910 + 250 + 1
    assert figures["unusual_days"] == 1
    assert figures["newest_ingest"].startswith("2026-01-02T03:04:05")


def test_without_tables_an_error_names_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["look", "freshness"]) == 1
    assert f"There is no table in {home}: run `make run`" in capsys.readouterr().err


DAY = dt.date(2013, 1, 1)
NOW = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def days(*rows: int) -> dict[dt.date, int]:
    return {DAY + dt.timedelta(days=n): each for n, each in enumerate(rows)}


def weeks(weekday: int, weekend: int, count: int = 10) -> list[int]:
    return ([weekday] * 5 + [weekend] * 2) * count


def test_weekends_are_not_unusual_and_a_poor_day_is() -> None:
    # Given weeks whose weekends are always thin, and one Wednesday that is
    rows = weeks(900, 600)
    rows[30] = 500
    # When unusual days are searched / Then the Wednesday is found, with what is usual
    (found,) = unusual_days(days(*rows))
    assert (found.day, found.rows, found.usual) == (DAY + dt.timedelta(days=30), 500, 900)


def test_a_day_without_rows_and_a_flood_are_unusual() -> None:
    rows = weeks(90, 90)
    rows[10], rows[20] = 0, 400
    assert [each.rows for each in unusual_days(days(*rows))] == [0, 400]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=80))
def test_small_counts_that_vary_by_chance_are_not(rows: list[int]) -> None:
    # Given a table of a few rows a day / Then no day is unusual
    assert not unusual_days(days(*rows))


@given(st.dictionaries(st.dates(DAY, dt.date(2014, 1, 1)), st.integers(1, 9)))
def test_every_day_is_present_and_no_row_is_lost(counts: dict[dt.date, int]) -> None:
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


def test_a_bar_is_as_high_as_its_rows_and_unusual_days_are_marked() -> None:
    # Given weeks of like days, and one without rows
    rows = weeks(10, 5)
    rows[30] = 0
    # When bars are computed for the chart
    bars = bars_of(days(*rows))
    # Then the greatest has the whole height, and every other its share, but never nothing
    assert [bars[place].height for place in (0, 5, 30)] == [40.0, 20.0, 0.6]
    # And they follow each other over the whole width, and only the day without rows is marked
    assert bars[-1].x + 620 / len(bars) == pytest.approx(620)
    assert [bar.day for bar in bars if bar.unusual] == [DAY + dt.timedelta(days=30)]
    assert bars_of({}) == []


def test_a_sparkline_has_a_block_for_each_value() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([]) == ""


def test_ages_are_in_the_largest_unit() -> None:
    for hours, words in ((0, "under 1 hour"), (30, "1 day"), (48, "2 days"), (9000, "1 year")):
        assert age_of(NOW - dt.timedelta(hours=hours), NOW) == words
    assert age_of(None, NOW) == "-"
    assert age_of(NOW + dt.timedelta(days=1), NOW) == "ahead"
