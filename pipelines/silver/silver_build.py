"""Silver and quarantine from bronze: every row in exactly one of the two, or the run stops."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.silver.fields import REASON, RULE
from features.silver.raw import AIRPORTS, FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.reference_tables import AIRPORT, TIME_ZONE
from features.silver.silver_tables import SILVER, to_quarantine, to_silver
from pipelines.runtime.fingerprint import code_of
from pipelines.silver.bronze import bronze_table, bronze_until
from pipelines.silver.candidates import (
    Candidates,
    ReconciliationError,
    SilverPlan,
    all_rows,
    new_rows,
    plan_of,
    silver_table,
)
from pipelines.spark.concurrency import at_once
from pipelines.tables.commit_metadata import SilverMark, days_of_ranges, mark_of, text_of
from pipelines.tables.day_ranges import count_days
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.tables.content_hash import Contents
    from pipelines.tables.delta_tables import Tables

QUARANTINE = "quarantine"
ROWS_PER_FILE = 50_000
_FEW_MONTHS = 2
_NEED_AIRPORTS = (WEATHER, FLIGHTS)


@dataclass(frozen=True)
class SourceFigures:
    """How many rows of a source are in silver and in quarantine, and the hash of its silver."""

    kept: int
    refused: int
    content_hash: str


def all_candidates(tables: Tables, contents: Contents, *, forced: bool = False) -> list[Candidates]:
    """Return the candidates of the sources whose silver is not of this bronze and this code.

    A mark is kept as the description of the silver table's commit, which comes after that of
    quarantine: a run that was killed in between leaves the source as it was, not up to date.

    Args:
        tables: The tables.
        contents: Their contents.
        forced: Whether a person wants all of silver to be made anew.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    code = _digest(
        sorted(
            {
                **code_of("features.silver.silver_tables"),
                **code_of("features.silver.deduplicate"),
            }.items()
        )
    )
    plan = _plan(tables, AIRPORTS, code, forced=forced)
    first = [all_rows(tables, plan, None)] if plan else []
    airports = to_silver(first[0].rows) if first else tables.read(silver_table(AIRPORTS))
    zones = _digest(sorted(map(tuple, airports.select(AIRPORT, TIME_ZONE).collect()), key=repr))

    def candidates(source: str) -> Candidates | None:
        made_by = _digest([code, zones]) if source in _NEED_AIRPORTS else code
        plan = _plan(tables, source, made_by, forced=forced)
        if plan is None:
            return None
        if plan.since is None:
            return all_rows(tables, plan, airports)
        return new_rows(tables, contents, plan, airports, plan.since)

    # The longest, which comes last, first.
    rest = [source for source in reversed(RAW_COLUMNS) if source != AIRPORTS]
    found = reversed(at_once(candidates, rest))
    return [*first, *(one for one in found if one is not None)]


def write_silver(tables: Tables, contents: Contents, candidates: Sequence[Candidates]) -> None:
    """Write quarantine for all sources in one commit, then the silver table of each."""
    _write_quarantine(tables, candidates)

    def write(one: Candidates) -> None:
        name, plan = silver_table(one.source), one.plan
        days = None if one.days is None else days_of_ranges(one.days)
        mark = text_of(SilverMark(plan.until, plan.made_by, days))
        if one.months is None:
            tables.replace(name, one.silver, description=mark, rows_per_file=ROWS_PER_FILE)
        elif one.months:
            tables.replace_where(name, _in_few_files(one), predicate=one.inside, description=mark)
        contents.keep(name, one.content)

    # The longest first.
    at_once(write, sorted(candidates, key=lambda one: -one.content.rows))


def figures_of(tables: Tables, contents: Contents, source: str) -> SourceFigures:
    """Return the figures of a source, of its tables as they are."""
    content = contents.of(silver_table(source))
    refused = tables.count(bronze_table(source)) - content.rows
    return SourceFigures(content.rows, refused, content.digest)


def validate_totals(tables: Tables, refused: int) -> None:
    """Return if as many rows are in quarantine as bronze has and silver has not.

    Raises:
        ReconciliationError: There are more, or fewer.
    """
    found = tables.count(QUARANTINE)
    if found != refused:
        raise ReconciliationError(
            f"Quarantine has {found:,} rows, and bronze has {refused:,} that are not in silver: "
            "remove the silver tables and the quarantine table, and ingest again. Report this: it "
            "is a defect of Ontime."
        )


def refused_reasons(tables: Tables, limit: int = 5) -> list[tuple[str, int]]:
    """Return the commonest rules that rows in quarantine break, with an example, and their rows."""
    counted = (
        tables.read(QUARANTINE)
        .groupBy("source", RULE)
        .agg(F.count("*").alias("rows"), F.min(REASON).alias("example"))
        .orderBy(F.desc("rows"), "source", RULE)
        .limit(limit)
    )
    return [
        (f"{row['source']}: {row[RULE]}, such as: {row['example']}", row["rows"])
        for row in counted.collect()
    ]


def told(one: Candidates) -> str:
    """Return in a line what is done to the silver table of a source, and why."""
    if one.months is None:
        return f"{one.source}: all of silver is made, as {one.plan.why}"
    days = count_days(one.days or ())
    return f"{one.source}: {days:,} day{'s' if days != 1 else ''} of silver changed"


def _plan(tables: Tables, source: str, made_by: str, *, forced: bool) -> SilverPlan | None:
    until = bronze_until(tables, source)
    if until is None:
        raise TableMissingError(f"Table {bronze_table(source)} does not exist: run stage ingest.")
    try:
        before = mark_of(SilverMark, tables.description(silver_table(source)))
    except TableMissingError:
        before = None
    by_day = bool(SILVER[source].day)
    return plan_of(source, before, until=until, made_by=made_by, by_day=by_day, forced=forced)


def _write_quarantine(tables: Tables, candidates: Sequence[Candidates]) -> None:
    """Put the refused rows of the candidates in place of what a killed run may have left of them.

    What came in later than a silver table is of is not in quarantine, unless a run was killed
    between the two commits. What was refused in the same month is written again beside it, so that
    quarantine has a file for each month, and not for each ingest.
    """
    anew = [one for one in candidates if one.refused or one.plan.since is None]
    if not anew:
        return
    refused = [to_quarantine(one.rows, one.bronze, one.source) for one in anew]
    parts = [one.plan for one in anew]
    for plan in parts:
        if plan.since is not None:
            known = f"{_this_month(plan)} AND refused_at <= {_instant(plan.since)}"
            refused.append(tables.read(QUARANTINE).where(known))
    names = ", ".join(f"'{plan.source}'" for plan in parts)
    tables.replace_where(
        QUARANTINE,
        reduce(DataFrame.unionByName, refused).coalesce(1),
        predicate=" OR ".join(f"({_this_month(plan)})" for plan in parts),
        description=f"ingest: quarantine of {names}",
    )


def _this_month(plan: SilverPlan) -> str:
    """Return what is true of the rows in quarantine that are written, new ones and others."""
    source = f"source = '{plan.source}'"
    if plan.since is None:
        return source
    first = plan.since.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return f"{source} AND refused_at >= {_instant(first)}"


def _instant(at: dt.datetime) -> str:
    return f"TIMESTAMP'{at:%Y-%m-%d %H:%M:%S.%fZ}'"


def _in_few_files(one: Candidates) -> DataFrame:
    """Return the rows of the months that are written, to be a file for each few months."""
    months = max(1, count_days(one.months or ()) // 31)
    if months <= _FEW_MONTHS:
        return one.silver.coalesce(1)
    return one.silver.repartition(months, F.trunc(F.to_date(SILVER[one.source].day), "month"))


def _digest(parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
