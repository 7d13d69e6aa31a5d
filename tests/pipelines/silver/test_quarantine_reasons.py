from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.silver.quarantine_reasons import RULES, explain
from tests.pipelines.made_tables import refused

SILVER = Path(__file__).resolve().parents[3] / "features" / "silver"


def test_every_rule_of_silver_is_explained_and_no_other() -> None:
    # Given the names of rules in the code of silver
    text = "\n".join(path.read_text() for path in SILVER.glob("*.py"))
    named = set(re.findall(r'(?:refusal_of\(\s*|with_rule\(\s*\w+,\s*|rule=|RULE = )"(\w+)"', text))
    # Then those are the ones explained; an unreadable line is named by its column
    assert named | {"unreadable"} == set(RULES) | {"rule"}


def test_a_value_out_of_range_has_the_range_the_line_and_the_day() -> None:
    # Given a quarantined row of a CSV file
    row = refused(
        "weather", "impossible_value", "wind_speed is 1048.4, outside 0 to 250.",
        file="weather.csv.gz", row=1010, wind_speed="1048.4", year="2013", month="2", day="12",
    )  # fmt: skip
    # When it is explained
    one = explain(row)
    # Then what was expected names the column's range
    assert one.expected == ("a value that can be; wind_speed is a number from 0 to 250, or missing")
    # And the line counts the header, and the day is the row's own
    assert (one.line, one.day) == (1011, "2013-02-12")
    assert one.received["wind_speed"] == "1048.4"
    assert one.ingested == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("file", "line"), [("a.csv", 6), ("a.csv.zip", 6), ("a.jsonl", 5), ("a.parquet", None)]
)
def test_a_row_has_a_line_number_where_rows_are_lines(file: str, line: int | None) -> None:
    reason = "carrier is missing."
    one = explain(refused("flights", "missing_value", reason, file=file, row=5))
    assert one.line == line
    assert one.expected == "a value; carrier is text, never missing"


def test_a_line_that_could_not_be_read_is_shown_as_it_is() -> None:
    # Given the text of a line, also one that happens to be JSON
    for text in ("1,2,3", '["a"]', '{"a": 1}'):
        row = refused("flights", "unreadable", "no", file="a.csv", row=1, received=text)
        # When it is explained / Then it has an explanation, and the row is about no day
        one = explain(row)
        assert one.received == {"line": text}
        assert one.day is None


def test_a_rule_that_is_not_known_is_shown_as_stored() -> None:
    # Given a rule that this code does not have / When / Then nothing is added to its reason
    one = explain(refused("flights", "of_old", "It was so.", file="a.csv", row=1))
    assert (one.rule, one.reason, one.expected) == (
        "of_old",
        "It was so.",
        "a row that fulfils the rule",
    )
