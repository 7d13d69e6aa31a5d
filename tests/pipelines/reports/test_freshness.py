from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from features.declare import columns as c
from pipelines.cli import execute
from tests.pipelines.made_tables import INGESTED, refused, write_table

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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


def test_each_table_is_told_with_rows_ages_and_unusual_days(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a silver table with one poor day, a feature table, and a quarantine
    write_table(home, "silver_flights", flights())
    write_table(home, "gold_features_h45", [row for row in flights() if row.pop(c.INGESTED)][:250])
    write_table(home, "quarantine", [refused("flights", "x", "y", file="a.csv", row=1)])
    # When the report is asked for
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


def test_without_a_run_it_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["look", "freshness"]) == 1
    assert f"There is no table in {home}: run `make run`" in capsys.readouterr().err
