from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.cli import execute
from tests.pipelines.made_tables import refused, write_table

if TYPE_CHECKING:
    from pathlib import Path

WIND = "wind_speed is 1048.4, outside 0 to 250."
NOWHERE = "dest is 'QQQ', which is not in the airports table."
ROWS = [
    refused("weather", "impossible_value", WIND, file="w.csv", row=7,
            year="2013", month="2", day="1"),
    *(
        refused("flights", "unknown_airport", NOWHERE, file=f"f{n}.jsonl", row=n, dest="QQQ",
                year="2013", month="2", day=str(n))
        for n in (1, 2)
    ),
    refused("flights", "unreadable", "The line is no row.", file="f1.jsonl", row=3, received="x,y"),
]  # fmt: skip


@pytest.fixture
def show(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    write_table(home, "quarantine", ROWS)

    def run(*arguments: str) -> str:
        assert execute(["look", "quarantine", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_it_counts_by_rule_and_shows_each_row_with_its_reason(show: Any) -> None:
    # Given four rows in quarantine / When they are requested
    text = show()
    # Then rules come with their counts, the commonest first
    assert text.startswith(
        "4 rows in quarantine\n         2  flights  unknown_airport   such as: dest is"
    )
    # And each row with its place, why, what was expected, what to do, and as it was received
    assert "weather: w.csv, row 7 (line 8), ingested 2026-01-02T03:04:05Z" in text
    assert f"why       impossible_value: {WIND}" in text
    assert "expected  an airport of the airports table" in text
    assert "do        add the airport with its time zone to conf/airports_supplement.csv" in text
    assert "received  line=x,y" in text
    assert "dest=QQQ" in text


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--source", "flights"), 3),
        (("--rule", "unknown_airport"), 2),
        (("--file", "f1*"), 2),
        (("--file", "f1.jsonl", "--row", "3"), 1),
        (("--day", "2013-02-01"), 2),
        (("--day", "2013-02-01", "--source", "weather"), 1),
        (("--day", "2013-03-01"), 0),
    ],
)
def test_rows_are_picked(show: Any, arguments: tuple[str, ...], count: int) -> None:
    found = json.loads(show(*arguments, "--json"))
    assert found["refused"] == len(found["rows"]) == count
    assert sum(rule["rows"] for rule in found["rules"]) == count


def test_rows_beyond_the_limit_are_counted(show: Any) -> None:
    text = show("--limit", "1")
    assert text.count("why  ") == 1
    assert "3 more: --limit" in text
    assert len(json.loads(show("--limit", "1", "--json"))["rows"]) == 1


def test_without_a_matching_row_that_is_reported(show: Any) -> None:
    assert show("--row", "99").startswith("No row in quarantine matches")


def test_without_a_table_it_names_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a home where nothing ran / When / Then one sentence names the way out
    assert execute(["look", "quarantine"]) == 1
    assert f"There is no quarantine in {home}: run `make run`" in capsys.readouterr().err
