"""`make quarantine`: why was this row refused?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from features.declare.columns import LINEAGE
from features.silver.fields import REASON, RULE
from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import ROW, SOURCE
from ontime_base.errors import OntimeError
from pipelines.reports.table_reader import Looking
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.silver.quarantine_reasons import RULES, Refusal, explained
from pipelines.silver.silver_build import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WIDTH = 100


class NoQuarantineError(OntimeError):
    """Nothing has been ingested yet."""


def main(argv: Sequence[str] | None = None) -> int:
    """Show refused rows, and return the exit code: 1 after one sentence on what to put right."""
    arguments = _parser().parse_args(argv)
    try:
        with RunContext(load_settings(arguments.environment)) as context:
            refusals = [one for one in _all(context) if _matches(one, arguments)]
    except OntimeError as error:
        print(f"quarantine: {error}", file=sys.stderr)
        return 1
    shown = refusals[: arguments.limit]
    print(_as_json(refusals, shown) if arguments.json else "\n".join(_told(refusals, shown)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.reports.quarantine", description=__doc__
    )
    parser.add_argument("--source", choices=sorted(RAW_COLUMNS), help="rows of this source")
    parser.add_argument("--rule", choices=sorted(RULES), help="rows that break this rule")
    parser.add_argument("--file", help="rows of this file: its name, or a pattern such as '*2013*'")
    parser.add_argument("--day", help="rows about this local day, such as 2013-02-12")
    parser.add_argument("--row", type=int, help="the row with this number in its file")
    parser.add_argument("--limit", type=int, default=20, help="how many rows to show (20)")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON document")
    parser.add_argument("--environment", help="dev, staging or prod (ONTIME_ENV)")
    return parser


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


def _matches(one: Refusal, wanted: argparse.Namespace) -> bool:
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


if __name__ == "__main__":
    sys.exit(main())
