"""`ontime look quarantine`: which rows are in quarantine, and why."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from features.declare.columns import LINEAGE
from features.silver.fields import REASON, RULE
from features.silver.silver_tables import ROW, SOURCE
from ontime_base.errors import OntimeError
from pipelines.silver.quarantine_reasons import QuarantinedRow, explain
from pipelines.silver.table_names import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipelines.runtime.context import RunContext

_WIDTH = 100


class NoQuarantineError(OntimeError):
    """Nothing has been ingested yet."""


@dataclass(frozen=True, kw_only=True)
class QuarantineFilter:
    """Which quarantined rows are shown; None selects all.

    Attributes:
        source: Rows of this source.
        rule: Rows that break this rule.
        file: Rows of this file: its name, or a pattern such as `*2013*`.
        day: Rows about this local day, such as 2013-02-12.
        row: The row with this number in its file.
    """

    source: str | None = None
    rule: str | None = None
    file: str | None = None
    day: str | None = None
    row: int | None = None


def show_quarantine(
    context: RunContext, selected: QuarantineFilter, *, limit: int = 20, as_json: bool = False
) -> None:
    """Print quarantined rows, and why they are in quarantine.

    Args:
        context: What every stage is given.
        selected: Which ones.
        limit: How many rows are shown; all are counted.
        as_json: Print one JSON document.

    Raises:
        NoQuarantineError: Nothing has been ingested yet.
    """
    rows = [one for one in _all_rows(context) if _matches(one, selected)]
    shown = rows[:limit]
    print(_as_json(rows, shown) if as_json else "\n".join(_as_lines(rows, shown)))


def _all_rows(context: RunContext) -> Iterator[QuarantinedRow]:
    reader = context.reader
    if not reader.exists(QUARANTINE):
        raise NoQuarantineError(
            f"There is no quarantine in {context.settings.home}: run `make run`, or set "
            "ONTIME_HOME to where it has run."
        )
    rows = reader.rows(QUARANTINE, (SOURCE, RULE, REASON, ROW, *LINEAGE)).to_pylist()
    ordered = sorted(rows, key=lambda row: (row[SOURCE], row["source_file"], row["source_row"]))
    return map(explain, ordered)


def _matches(one: QuarantinedRow, selected: QuarantineFilter) -> bool:
    return (
        selected.source in {None, one.source}
        and selected.rule in {None, one.rule}
        and (selected.file is None or fnmatchcase(one.file, selected.file))
        and selected.day in {None, one.day}
        and selected.row in {None, one.row}
    )


def _counted(rows: Iterable[QuarantinedRow]) -> list[tuple[int, str, str, str]]:
    """Return rows, source, rule and an example of each rule broken, the commonest first."""
    counts = Counter((one.source, one.rule) for one in rows)
    examples = {(one.source, one.rule): one.reason for one in reversed(list(rows))}
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return [(counts[key], *key, examples[key]) for key in ordered]


def _as_json(rows: Sequence[QuarantinedRow], shown: Sequence[QuarantinedRow]) -> str:
    rules = [
        {"rows": count, "source": source, "rule": rule, "example": example}
        for count, source, rule, example in _counted(rows)
    ]
    found = [dataclasses.asdict(one) for one in shown]
    return json.dumps({"refused": len(rows), "rules": rules, "rows": found}, indent=2)


def _as_lines(rows: Sequence[QuarantinedRow], shown: Sequence[QuarantinedRow]) -> Iterator[str]:
    if not rows:
        yield "No row in quarantine matches: such a row is in silver, or was never received."
        return
    yield f"{len(rows):,} row{'s' if len(rows) > 1 else ''} in quarantine"
    for count, source, rule, example in _counted(rows):
        yield f"  {count:>8,}  {source:<9}{rule:<18}such as: {example}"
    for one in shown:
        line = f" (line {one.line:,})" if one.line is not None else ""
        yield ""
        yield f"{one.source}: {one.file}, row {one.row:,}{line}, ingested {one.ingested}"
        yield f"  why       {one.rule}: {one.reason}"
        yield f"  expected  {one.expected}"
        yield f"  do        {one.remedy}"
        yield from _received(one)
    if len(rows) > len(shown):
        yield ""
        yield f"{len(rows) - len(shown):,} more: --limit, or --source, --rule, --file, --day"


def _received(one: QuarantinedRow) -> Iterator[str]:
    """Yield the row as received, in lines that fit a terminal."""
    label, line = "received", ""
    for name, value in one.received.items():
        part = f"{name}={'' if value is None else value}"
        if line and len(line) + len(part) > _WIDTH:
            yield f"  {label:<10}{line}"
            label, line = "", ""
        line = f"{line}  {part}" if line else part
    yield f"  {label:<10}{line}"
