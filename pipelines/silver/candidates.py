"""Rows on their way from bronze to silver and quarantine: of all files, or of the new ones.

A new file touches the months that its rows are in. A row of it supersedes the row of an older file
with the same key, which is found in those months of silver; everything else stays as it is. The
result is what all files together give: see docs/adr/0007.

What has to be done to a silver table: nothing, its newest rows, or all of it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, LINEAGE, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.deduplicate import to_duplicate_keys, with_duplicates_refused
from features.silver.fields import REFUSAL
from features.silver.silver_tables import SILVER, to_silver
from ontime_base.errors import OntimeError
from pipelines.silver.bronze import bronze_table
from pipelines.spark.persist import kept, let_go
from pipelines.tables.content_hash import Content, content_of
from pipelines.tables.day_ranges import months_of, ranges_of, sql_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row

    from features.offline.blocks import DayRange
    from pipelines.tables.commit_metadata import SilverMark
    from pipelines.tables.content_hash import Contents
    from pipelines.tables.delta_tables import Tables


@dataclass(frozen=True)
class SilverPlan:
    """What has to be done to bring the silver table of a source up to date.

    Attributes:
        source: The source.
        until: When the newest of its bronze rows were taken in.
        made_by: Hash of the code, and of what else decides what becomes of a row.
        since: Only rows taken in after this are new to silver; None: all rows are looked at.
        why: The reason, in a few words.
    """

    source: str
    until: dt.datetime
    made_by: str
    since: dt.datetime | None
    why: str


def plan_of(
    source: str,
    before: SilverMark | None,
    *,
    until: dt.datetime,
    made_by: str,
    by_day: bool,
    forced: bool = False,
) -> SilverPlan | None:
    """Return what has to be done to a silver table; None if it is up to date.

    Args:
        source: The source.
        before: What the table was made of; None: there is none, or nobody knows.
        until: When the newest of its bronze rows were taken in.
        made_by: Hash of the code, and of what else decides what becomes of a row.
        by_day: Whether days of the table can be made alone.
        forced: Whether a person wants all of it to be made anew.
    """
    if forced:
        return SilverPlan(source, until, made_by, None, "it is forced")
    if before is None:
        return SilverPlan(source, until, made_by, None, "it is not made yet")
    if before.made_by != made_by:
        return SilverPlan(source, until, made_by, None, "its code or the time zones changed")
    if before.until == until:
        return None
    if before.until > until:
        return SilverPlan(source, until, made_by, None, "bronze was put back to an earlier state")
    since = before.until if by_day else None
    return SilverPlan(source, until, made_by, since, "files are new")


_FILE = (SOURCE_FILE, SOURCE_CHECKSUM)


class ReconciliationError(OntimeError):
    """Rows got lost, or came out twice, between a source file and the tables."""


@dataclass(frozen=True)
class Candidates:
    """The rows of one source on their way to silver.

    Attributes:
        plan: What is done to the source.
        bronze: Rows as received, among them all that are refused.
        rows: The rows that are new to silver, and those that they supersede: typed, with their
            refusal; kept in memory.
        silver: The rows that are written to silver.
        months: The months of silver that they replace; None: all of it.
        inside: SQL that is true of the rows of silver in those months.
        days: The days on which rows came, went or have other values; None: all.
        refused: How many rows go to quarantine.
        written: How many rows are written to silver.
        content: The content that the silver table will have.
    """

    plan: SilverPlan
    bronze: DataFrame
    rows: DataFrame
    silver: DataFrame
    months: tuple[DayRange, ...] | None
    inside: str
    days: tuple[DayRange, ...] | None
    refused: int
    written: int
    content: Content

    @property
    def source(self) -> str:
        """The source."""
        return self.plan.source

    def release(self) -> None:
        """Let go of the rows that are kept in memory."""
        let_go(self.rows)
        let_go(self.silver)


def silver_table(source: str) -> str:
    """Return the name of the silver table of a source."""
    return f"silver_{source}"


def all_rows(tables: Tables, plan: SilverPlan, airports: DataFrame | None) -> Candidates:
    """Return the candidates of all files of a source, computed, counted and kept in memory.

    Args:
        tables: The tables.
        plan: What is done to the source.
        airports: Silver airports; None for the airports themselves.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    bronze = tables.read(bronze_table(plan.source))
    typed = SILVER[plan.source].candidates(bronze, bronze if airports is None else airports)
    rows = _with_repeats(kept(typed), plan.source)
    refused = _validate_counts(plan.source, bronze, rows)
    silver = to_silver(rows)
    content = content_of(silver)
    return Candidates(
        plan, bronze, rows, silver, None, "true", None, refused, content.rows, content
    )


def new_rows(
    tables: Tables, contents: Contents, plan: SilverPlan, airports: DataFrame, since: dt.datetime
) -> Candidates:
    """Return the candidates of the files that are new to silver, with what they supersede.

    Args:
        tables: The tables.
        contents: Their contents.
        plan: What is done to the source.
        airports: Silver airports.
        since: Files that were taken in later are new.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    table, name = SILVER[plan.source], silver_table(plan.source)
    bronze, silver = tables.read(bronze_table(plan.source)), tables.read(name)
    is_new = F.col(INGESTED) > F.lit(since)
    new = bronze.where(is_new)
    typed = kept(table.candidates(new, airports))
    _validate_counts(plan.source, new, typed)
    good, day = to_silver(typed), F.to_date(table.day)
    around = F.explode(F.array(F.date_sub(day, 1), day, F.date_add(day, 1)))
    near = silver.where(_in_months(good, around, silver, table.day)[1])
    old = near.join(good.select(*table.key).distinct(), on=list(table.key), how="left_semi")
    either = typed.unionByName(old.withColumn(REFUSAL, F.lit(None)))
    rows = _with_repeats(kept(either), plan.source)
    let_go(typed)
    winners, gone = to_silver(rows), rows.where(~is_new).drop(REFUSAL)
    months, inside = _in_months(winners.unionByName(gone), day, silver, table.day)
    rest = silver.where(inside).join(
        winners.select(*table.key), on=list(table.key), how="left_anti"
    )
    written = kept(rest.select(*silver.columns).unionByName(winners))
    before = contents.of(name)
    return Candidates(
        plan=plan,
        bronze=_with_superseded(new, bronze, gone),
        rows=rows,
        silver=written,
        months=months,
        inside=inside,
        days=ranges_of(_changed_days(winners, gone, day)),
        refused=rows.where(F.col(REFUSAL).isNotNull()).count(),
        written=written.count(),
        content=before.replaced(content_of(gone), content_of(winners)),
    )


def _in_months(
    rows: DataFrame, day: Column, silver: DataFrame, column: str
) -> tuple[tuple[DayRange, ...], str]:
    """Return the months that days of rows are in, and that of a row of silver as SQL."""
    firsts = rows.select(day.alias("day")).select(F.trunc("day", "month").alias("first")).distinct()
    months = months_of(row["first"] for row in firsts.collect())
    is_instant = silver.schema[column].dataType.typeName() == "timestamp"
    return months, sql_of(months, column, is_instant=is_instant)


def _changed_days(came: DataFrame, gone: DataFrame, day: Column) -> list[dt.date]:
    """Return the days of rows that came or went, but not of those that came as they went.

    Where a row is from does not count.
    """
    kinds = {field.name: field.dataType.typeName() for field in came.schema}
    values = [
        F.col(name).cast("string").alias(name) if kind in {"double", "float"} else F.col(name)
        for name, kind in kinds.items()  # as text, 0 and -0 are two values
        if name not in LINEAGE
    ]
    both = came.select(*values, F.lit(1).alias("came")).unionByName(
        gone.select(*values, F.lit(-1).alias("came"))
    )
    names = [name for name in both.columns if name != "came"]
    changed = both.groupBy(*names).agg(F.sum("came").alias("came")).where("came <> 0")
    return [row["day"] for row in changed.select(day.alias("day")).distinct().collect()]


def _with_superseded(new: DataFrame, bronze: DataFrame, gone: DataFrame) -> DataFrame:
    """Return new rows as received, with what older files had to be read for: superseded rows."""
    found = gone.agg(
        F.collect_set(SOURCE_CHECKSUM), F.min(SOURCE_ROW), F.max(SOURCE_ROW), F.max(INGESTED)
    ).first()
    if found is None or not found[0]:
        return new
    files, first, last, until = found
    rows = F.col(SOURCE_ROW).between(first, last) & (F.col(INGESTED) <= F.lit(until))
    return new.unionByName(bronze.where(F.col(SOURCE_CHECKSUM).isin(*files) & rows))


def _with_repeats(typed: DataFrame, source: str) -> DataFrame:
    """Return the candidates with repeated keys refused; computes and keeps them."""
    table = SILVER[source]
    repeated = kept(to_duplicate_keys(typed, table.key))
    rows = typed
    if not repeated.isEmpty():
        rows = kept(with_duplicates_refused(typed, repeated, key=table.key, words=table.words))
        rows.count()
        let_go(typed)
    let_go(repeated)
    return rows


def _validate_counts(source: str, bronze: DataFrame, rows: DataFrame) -> int:
    """Return how many rows are refused, if each row of each file came out once."""
    counts = (F.count("*").alias("rows"), F.count(REFUSAL).alias("refused"))
    came_out = rows.groupBy(*_FILE).agg(*counts).collect()
    before = _rows_by_file(bronze.groupBy(*_FILE).agg(counts[0]).collect())
    after = _rows_by_file(came_out)
    for file in sorted(before.keys() | after.keys()):
        if before.get(file, 0) != after.get(file, 0):
            raise ReconciliationError(
                f"{source}: file {file[0]} has {before.get(file, 0):,} rows in bronze, and "
                f"{after.get(file, 0):,} came out for silver and quarantine: none was written. "
                "Report this: it is a defect of Ontime."
            )
    return sum(file["refused"] for file in came_out)


def _rows_by_file(counted: Sequence[Row]) -> dict[tuple[str, str], int]:
    return {(row[SOURCE_FILE], row[SOURCE_CHECKSUM]): row["rows"] for row in counted}
