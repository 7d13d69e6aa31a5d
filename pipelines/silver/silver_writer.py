"""Writes silver and quarantine, and counts their rows: each row is in exactly one of the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.silver.fields import REASON, RULE
from features.silver.silver_tables import SILVER, to_quarantine
from pipelines.silver.candidates import ReconciliationError
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.spark.concurrency import run_concurrently
from pipelines.tables.commit_metadata import SilverCommit, days_of_ranges, to_description
from pipelines.tables.day_ranges import count_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.silver.candidates import Candidates, SilverPlan
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables

ROWS_PER_FILE = 50_000
_FEW_MONTHS = 2


@dataclass(frozen=True)
class SourceCounts:
    """The row counts of a source in silver and quarantine, and the hash of its silver."""

    silver: int
    quarantine: int
    content_hash: str


def write_silver(
    tables: Tables, hashes: ContentHashCache, candidates: Sequence[Candidates]
) -> None:
    """Write quarantine for all sources in one commit, then the silver table of each."""
    _write_quarantine(tables, candidates)

    def write(one: Candidates) -> None:
        name, plan = silver_table(one.source), one.plan
        days = None if one.days is None else days_of_ranges(one.days)
        metadata = to_description(SilverCommit(plan.until, plan.fingerprint, days))
        if one.months is None:
            tables.replace(name, one.silver, description=metadata, rows_per_file=ROWS_PER_FILE)
        elif one.months:
            rows = _in_few_files(one)
            tables.replace_where(name, rows, predicate=one.inside, description=metadata)
        hashes.put(name, one.content)

    # The longest first.
    run_concurrently(write, sorted(candidates, key=lambda one: -one.content.rows))


def count_rows(tables: Tables, hashes: ContentHashCache, source: str) -> SourceCounts:
    """Return the row counts of a source, of its tables as they are."""
    content = hashes.get(silver_table(source))
    quarantine = tables.count(bronze_table(source)) - content.rows
    return SourceCounts(content.rows, quarantine, content.digest)


def validate_totals(tables: Tables, quarantine: int) -> None:
    """Return if as many rows are in quarantine as bronze has and silver has not.

    Raises:
        ReconciliationError: There are more, or fewer.
    """
    found = tables.count(QUARANTINE)
    if found != quarantine:
        raise ReconciliationError(
            f"Quarantine has {found:,} rows, and bronze has {quarantine:,} that are not in silver: "
            "remove the silver tables and the quarantine table, and ingest again. Report this: it "
            "is a defect of Ontime."
        )


def top_reasons(tables: Tables, limit: int = 5) -> list[tuple[str, int]]:
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


def describe(one: Candidates) -> str:
    """Return in a line what is done to the silver table of a source, and why."""
    if one.months is None:
        return f"{one.source}: all of silver is built, as {one.plan.reason}"
    days = count_days(one.days or ())
    return f"{one.source}: {days:,} day{'s' if days != 1 else ''} of silver changed"


def _write_quarantine(tables: Tables, candidates: Sequence[Candidates]) -> None:
    """Write the quarantined rows of the candidates, in place of what a killed run may have left.

    Rows ingested after the time recorded in the silver table are in quarantine only if a run was
    killed between the two commits. Rows that were quarantined in the same month are written again
    beside the new ones, so that quarantine has a file for each month, and not for each ingest.
    """
    rewritten = [one for one in candidates if one.quarantined or one.plan.since is None]
    if not rewritten:
        return
    rows = [to_quarantine(one.rows, one.bronze, one.source) for one in rewritten]
    plans = [one.plan for one in rewritten]
    for plan in plans:
        if plan.since is not None:
            known = f"{_rewritten_rows(plan)} AND refused_at <= {_instant(plan.since)}"
            rows.append(tables.read(QUARANTINE).where(known))
    names = ", ".join(f"'{plan.source}'" for plan in plans)
    tables.replace_where(
        QUARANTINE,
        reduce(DataFrame.unionByName, rows).coalesce(1),
        predicate=" OR ".join(f"({_rewritten_rows(plan)})" for plan in plans),
        description=f"ingest: quarantine of {names}",
    )


def _rewritten_rows(plan: SilverPlan) -> str:
    """Return the SQL condition of the rows in quarantine that are written again."""
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
