"""Writes silver and quarantine, and counts their rows: each row is in exactly one of the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.declare.columns import INGESTED, REFUSED, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.fields import REASON, RULE
from features.silver.silver_tables import ROW, SILVER, SOURCE
from pipelines.silver.silver_plan import ReconciliationError
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.spark.arrow_frames import frame_of
from pipelines.spark.concurrency import run_concurrently
from pipelines.tables.arrow_files import EARLIEST, DayColumn
from pipelines.tables.commit_metadata import SilverCommit, days_of_ranges, to_description
from pipelines.tables.day_ranges import count_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.silver.silver_plan import Candidates, SilverPlan
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables

ROWS_PER_FILE = 50_000
QUARANTINE_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in (SOURCE, REASON, RULE, ROW, SOURCE_FILE, SOURCE_CHECKSUM)
        ),
        (SOURCE_ROW, pa.int64()),
        *((name, pa.timestamp("us", tz="UTC")) for name in (INGESTED, REFUSED)),
    ]
)
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
        changed = None if one.days is None else days_of_ranges(one.days)
        metadata = to_description(SilverCommit(plan.until, plan.fingerprint, changed))
        rows = one.silver
        if one.months is None:
            tables.replace(name, rows, description=metadata, rows_per_file=ROWS_PER_FILE)
        elif one.months and isinstance(rows, DataFrame):
            few = _in_few_files(rows, one)
            tables.replace_where(name, few, predicate=one.inside, description=metadata)
        elif one.months:
            days = days_of_ranges(one.months) or ()
            column = DayColumn(SILVER[one.source].day)
            tables.replace_days(name, rows, column=column, days=days, description=metadata)
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
    columns = ["source", RULE, REASON]
    local = tables.local(QUARANTINE)
    if local is not None:
        grouped = local.rows(QUARANTINE, columns).group_by(columns[:2])
        counted = grouped.aggregate([([], "count_all"), (REASON, "min")]).select(
            [*columns[:2], "count_all", f"{REASON}_min"]
        )
    else:
        frame = tables.read(QUARANTINE).groupBy(*columns[:2])
        counted = frame.agg(F.count("*").alias("rows"), F.min(REASON).alias("example")).toArrow()
    found = sorted(
        (-rows, source, rule, example)
        for source, rule, rows, example in zip(*(each.to_pylist() for each in counted), strict=True)
    )
    return [
        (f"{source}: {rule}, such as: {example}", -rows)
        for rows, source, rule, example in found[:limit]
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
    names = ", ".join(f"'{one.source}'" for one in rewritten)
    description = f"ingest: quarantine of {names}"
    refused = [one.refused for one in rewritten]
    if not any(isinstance(each, DataFrame) for each in refused):
        _write_arrow_quarantine(tables, [one.plan for one in rewritten], refused, description)
        return
    rows = [
        frame_of(tables.spark, each) if isinstance(each, pa.Table) else each
        for each in refused
        if each is not None
    ]
    plans = [one.plan for one in rewritten]
    for plan in plans:
        if plan.since is not None:
            known = f"{_rewritten_rows(plan)} AND refused_at <= {_instant(plan.since)}"
            rows.append(tables.read(QUARANTINE).where(known))
    tables.replace_where(
        QUARANTINE,
        reduce(DataFrame.unionByName, rows).coalesce(1),
        predicate=" OR ".join(f"({_rewritten_rows(plan)})" for plan in plans),
        description=description,
    )


def _write_arrow_quarantine(
    tables: Tables,
    plans: Sequence[SilverPlan],
    refused: Sequence[pa.Table | None],
    description: str,
) -> None:
    """Write quarantine with Arrow: the same rows, in place of those that are written again."""
    new = [rows.cast(QUARANTINE_SCHEMA) for rows in refused if rows is not None]

    def changed(before: pa.Table) -> pa.Table:
        for plan in plans:
            again = pc.equal(before[SOURCE], plan.source)
            if plan.since is not None:
                later = pc.greater(before[REFUSED], pa.scalar(plan.since, before[REFUSED].type))
                again = pc.and_(again, later)
            before = before.filter(pc.invert(again))
        return pa.concat_tables([before.cast(QUARANTINE_SCHEMA), *new])

    if not tables.exists(QUARANTINE):
        rows = changed(QUARANTINE_SCHEMA.empty_table())
        tables.replace(QUARANTINE, rows, description=description)
        return
    since = [plan.since.date() for plan in plans if plan.since is not None]
    first = min(since).replace(day=1) if len(since) == len(plans) else EARLIEST
    tables.rewrite_since(
        QUARANTINE, changed, column=DayColumn(REFUSED), first=first, description=description
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


def _in_few_files(rows: DataFrame, one: Candidates) -> DataFrame:
    """Return the rows of the months that are written, to be a file for each few months."""
    months = max(1, count_days(one.months or ()) // 31)
    if months <= _FEW_MONTHS:
        return rows.coalesce(1)
    return rows.repartition(months, F.trunc(F.to_date(SILVER[one.source].day), "month"))
