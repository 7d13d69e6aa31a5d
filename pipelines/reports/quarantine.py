"""Why was this row refused?"""

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
from pipelines.reports.table_reader import Looking
from pipelines.silver.quarantine_reasons import Refusal, explained
from pipelines.silver.table_names import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipelines.runtime.context import RunContext

_WIDTH = 100


class NoQuarantineError(OntimeError):
    """Nothing has been ingested yet."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which refused rows are wanted; what is None does not matter.

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
    context: RunContext, wanted: Wanted, *, limit: int = 20, as_json: bool = False
) -> None:
    """Print refused rows, and why.

    Args:
        context: What every stage is given.
        wanted: Which ones.
        limit: How many rows are shown; all are counted.
        as_json: Print one JSON document.

    Raises:
        NoQuarantineError: Nothing has been ingested yet.
    """
    refusals = [one for one in _all(context) if _matches(one, wanted)]
    shown = refusals[:limit]
    print(_as_json(refusals, shown) if as_json else "\n".join(_told(refusals, shown)))


def _all(context: RunContext) -> Iterator[Refusal]:
    looking = Looking(context)
    if not looking.exists(QUARANTINE):
        raise NoQuarantineError(
            f"There is no quarantine in {context.settings.home}: run `make run`, or set "
            "ONTIME_HOME to where it has run."
        )
    rows = looking.rows(QUARANTINE, (SOURCE, RULE, REASON, ROW, *LINEAGE)).to_pylist()
    places = sorted(rows, key=lambda row: (row[SOURCE], row["source_file"], row["source_row"]))
    return map(explained, places)


def _matches(one: Refusal, wanted: Wanted) -> bool:
    return (
        wanted.source in {None, one.source}
        and wanted.rule in {None, one.rule}
        and (wanted.file is None or fnmatchcase(one.file, wanted.file))
        and wanted.day in {None, one.day}
        and wanted.row in {None, one.row}
    )


def _counted(refusals: Iterable[Refusal]) -> list[tuple[int, str, str, str]]:
    """Return rows, source, rule and an example of each rule broken, the commonest first."""
    counts = Counter((one.source, one.rule) for one in refusals)
    examples = {(one.source, one.rule): one.reason for one in reversed(list(refusals))}
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return [(counts[key], *key, examples[key]) for key in ordered]


def _as_json(refusals: Sequence[Refusal], shown: Sequence[Refusal]) -> str:
    rules = [
        {"rows": rows, "source": source, "rule": rule, "example": example}
        for rows, source, rule, example in _counted(refusals)
    ]
    told = [dataclasses.asdict(one) for one in shown]
    return json.dumps({"refused": len(refusals), "rules": rules, "rows": told}, indent=2)


def _told(refusals: Sequence[Refusal], shown: Sequence[Refusal]) -> Iterator[str]:
    if not refusals:
        yield "No row in quarantine is like that: it was kept, or it was never received."
        return
    yield f"{len(refusals):,} row{'s' if len(refusals) > 1 else ''} refused"
    for rows, source, rule, example in _counted(refusals):
        yield f"  {rows:>8,}  {source:<9}{rule:<18}such as: {example}"
    for one in shown:
        line = f" (line {one.line:,})" if one.line is not None else ""
        yield ""
        yield f"{one.source}: {one.file}, row {one.row:,}{line}, taken in {one.ingested}"
        yield f"  why       {one.rule}: {one.reason}"
        yield f"  expected  {one.expected}"
        yield f"  do        {one.remedy}"
        yield from _received(one)
    if len(refusals) > len(shown):
        yield ""
        yield f"{len(refusals) - len(shown):,} more: --limit, or --source, --rule, --file, --day"


def _received(one: Refusal) -> Iterator[str]:
    """Yield the row as received, in lines that fit a terminal."""
    label, line = "received", ""
    for name, value in one.received.items():
        part = f"{name}={'' if value is None else value}"
        if line and len(line) + len(part) > _WIDTH:
            yield f"  {label:<10}{line}"
            label, line = "", ""
        line = f"{line}  {part}" if line else part
    yield f"  {label:<10}{line}"
