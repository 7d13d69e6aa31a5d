"""Quarantine reasons as text: the expectation that a row broke, and how to correct it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import SILVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.silver.fields import Field


@dataclass(frozen=True)
class Rule:
    """A rule for the rows of silver.

    Attributes:
        expected: What is true of a row that fulfils it.
        remedy: What to do about a row that breaks it.
    """

    expected: str
    remedy: str


_CORRECT: Final = "deliver a file with the row corrected: the newer file wins"
RULES: Final[Mapping[str, Rule]] = {
    "missing_value": Rule("a value", _CORRECT),
    "wrong_type": Rule("a value of the column's type", _CORRECT),
    "impossible_value": Rule("a value that can be", _CORRECT),
    "impossible_clock": Rule("a clock time, 0000 to 2400, of at most 59 minutes", _CORRECT),
    "contradiction": Rule("columns that agree about a flight or an hour", _CORRECT),
    "unknown_airport": Rule(
        "an airport of the airports table",
        "add the airport with its time zone to conf/airports_supplement.csv and run again",
    ),
    "no_time_zone": Rule(
        "an airport with a time zone in the airports table",
        "deliver the airport with its IANA zone (column tzone), such as America/New_York",
    ),
    "duplicate_key": Rule(
        "one row per key in each file",
        "nothing if the rows are the same; else remove the wrong one from the file",
    ),
    "superseded": Rule(
        "the newest file's row for each key", "nothing: the row in the newer file is in silver"
    ),
    "unreadable": Rule(
        "a line of as many values as the header names, or one JSON object",
        "correct the line: commas inside a value need quotes around it",
    ),
}
"""Every rule of `features.silver`, by its name."""


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """A row in quarantine, with its reason in full.

    Attributes:
        source: The source.
        rule: The rule that it breaks.
        reason: How it breaks it.
        expected: What was expected.
        remedy: What to do.
        file: The source file.
        row: Its number there, from 1, without the header.
        line: The line of a CSV or JSON-lines file it is on, if no value before has a line break;
            None for other formats.
        ingested: When it was ingested, ISO 8601 in UTC.
        received: Its columns as received; of a line that could not be read, its text in `line`.
    """

    source: str
    rule: str
    reason: str
    expected: str
    remedy: str
    file: str
    row: int
    line: int | None
    ingested: str
    received: Mapping[str, str | None]

    @property
    def day(self) -> str | None:
        """The local day that the row is about, as 2013-02-12, or None if it has none."""
        parts = [self.received.get(name) or "" for name in ("year", "month", "day")]
        if not all(part.isdigit() for part in parts):
            return None
        year, month, day = (int(part) for part in parts)
        return f"{year:04}-{month:02}-{day:02}"


def explain(row: Mapping[str, Any]) -> QuarantinedRow:
    """Return a row of the quarantine table with its reason in full."""
    rule = RULES.get(row["rule"])
    return QuarantinedRow(
        source=row["source"],
        rule=row["rule"],
        reason=row["reason"],
        expected=_expected(row["source"], row["reason"], rule),
        remedy=rule.remedy if rule else _CORRECT,
        file=row["source_file"],
        row=row["source_row"],
        line=_line(row["source_file"], row["source_row"]),
        ingested=f"{row['ingested_at']:%Y-%m-%dT%H:%M:%SZ}",
        received=_received(row["source"], row["row"]),
    )


def _expected(source: str, reason: str, rule: Rule | None) -> str:
    """Return what the column that the reason begins with must be, and what the rule expects."""
    words = rule.expected if rule else "a row that fulfils the rule"
    table = SILVER.get(source)
    named = re.match(r"(\w+) is (?:missing|'|-?[\d.])", reason)
    fields = [f for f in table.fields if named and f.raw == named[1]] if table else []
    return f"{words}; {fields[0].raw} is {_describe(fields[0])}" if fields else words


def _describe(field: Field) -> str:
    limits = ""
    if field.minimum is not None and field.maximum is not None:
        limits = f" from {field.minimum:g} to {field.maximum:g}"
    return f"{field.kind.what}{limits}, {'never' if field.required else 'or'} missing"


def _line(file: str, row: int) -> int | None:
    kind = file.lower().removesuffix(".gz").removesuffix(".zip").rpartition(".")[2]
    return {"csv": row + 1, "jsonl": row, "ndjson": row}.get(kind)


def _received(source: str, text: str) -> dict[str, str | None]:
    """Return the columns of a row; a line that could not be read is one column."""
    try:
        row = json.loads(text)
    except ValueError:
        return {"line": text}
    columns = RAW_COLUMNS.get(source, ())
    return row if isinstance(row, dict) and set(row) == set(columns) else {"line": text}
