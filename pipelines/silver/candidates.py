"""Candidates: rows for silver and quarantine, computed from bronze but not written yet.

For each source a plan decides whether silver is up to date, or is computed from the new files, or
from all of them. A new file affects the months of its rows. A row of it supersedes the row of an
older file with the same key, which is found in those months of silver; other rows are unchanged.
The result is the same as from all files together: see docs/adr/0007.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, LINEAGE, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.deduplicate import to_duplicate_keys, with_duplicates_refused
from features.silver.fields import REFUSAL
from features.silver.raw import AIRPORTS, FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.reference_tables import AIRPORT, TIME_ZONE
from features.silver.silver_tables import SILVER, to_silver
from ontime_base.errors import OntimeError
from pipelines.runtime.source_code import code_of
from pipelines.silver.bronze import last_ingest
from pipelines.silver.table_names import bronze_table, silver_table
from pipelines.spark.concurrency import run_concurrently
from pipelines.spark.persist import persisted, unpersist
from pipelines.tables.commit_metadata import SilverCommit, from_description
from pipelines.tables.content_hash import ContentHash, content_hash_of
from pipelines.tables.day_ranges import months_of, ranges_of, sql_of
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row

    from features.offline.blocks import DayRange
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables

_FILE = (SOURCE_FILE, SOURCE_CHECKSUM)
_NEED_AIRPORTS = (WEATHER, FLIGHTS)


class ReconciliationError(OntimeError):
    """Rows got lost, or came out twice, between a source file and the tables."""


@dataclass(frozen=True)
class SilverPlan:
    """The plan of the silver table of a source.

    Attributes:
        source: The source.
        until: When the newest of its bronze rows were ingested.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        since: Only rows that were ingested after this are read from bronze; None: all rows.
        reason: Why, in a short clause.
    """

    source: str
    until: dt.datetime
    fingerprint: str
    since: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class Candidates:
    """The rows of one source on their way to silver.

    Attributes:
        plan: What is done to the source.
        bronze: Rows as received, among them all that go to quarantine.
        rows: The rows that are new to silver, and those that they supersede: typed, with their
            quarantine reason; cached.
        silver: The rows that are written to silver.
        months: The months of silver that they replace; None: all of it.
        inside: SQL that is true of the rows of silver in those months.
        days: The days on which rows were added, removed or changed; None: all.
        quarantined: How many rows go to quarantine.
        written: How many rows are written to silver.
        content: The content hash that the silver table will have.
    """

    plan: SilverPlan
    bronze: DataFrame
    rows: DataFrame
    silver: DataFrame
    months: tuple[DayRange, ...] | None
    inside: str
    days: tuple[DayRange, ...] | None
    quarantined: int
    written: int
    content: ContentHash

    @property
    def source(self) -> str:
        """The source."""
        return self.plan.source

    def release(self) -> None:
        """Remove the cached rows from memory."""
        unpersist(self.rows)
        unpersist(self.silver)


def all_candidates(
    tables: Tables, hashes: ContentHashCache, *, forced: bool = False
) -> list[Candidates]:
    """Return the candidates of the sources whose silver is not of this bronze and this code.

    The metadata that records it is in the commit of the silver table, which comes after that of
    quarantine: after a run that was killed in between the source is not up to date.

    Args:
        tables: The tables.
        hashes: Their content hashes.
        forced: Whether all of silver is to be rebuilt.

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
    plan = _plan_source(tables, AIRPORTS, code, forced=forced)
    first = [candidates_of_all_files(tables, plan, None)] if plan else []
    airports = to_silver(first[0].rows) if first else tables.read(silver_table(AIRPORTS))
    zones = _digest(sorted(map(tuple, airports.select(AIRPORT, TIME_ZONE).collect()), key=repr))

    def candidates(source: str) -> Candidates | None:
        fingerprint = _digest([code, zones]) if source in _NEED_AIRPORTS else code
        plan = _plan_source(tables, source, fingerprint, forced=forced)
        if plan is None:
            return None
        if plan.since is None:
            return candidates_of_all_files(tables, plan, airports)
        return candidates_of_new_files(tables, hashes, plan, airports, plan.since)

    # The longest, which comes last, first.
    rest = [source for source in reversed(RAW_COLUMNS) if source != AIRPORTS]
    found = reversed(run_concurrently(candidates, rest))
    return [*first, *(one for one in found if one is not None)]


def plan_silver(
    source: str,
    before: SilverCommit | None,
    *,
    until: dt.datetime,
    fingerprint: str,
    by_day: bool,
    forced: bool = False,
) -> SilverPlan | None:
    """Return what is to be done to a silver table; None if it is up to date. Pure.

    Args:
        source: The source.
        before: The metadata of the table's last commit; None: no table, or no metadata.
        until: When the newest of its bronze rows were ingested.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        by_day: Whether days of the table can be rebuilt alone.
        forced: Whether all of it is to be rebuilt.
    """

    def of_all_files(reason: str) -> SilverPlan:
        return SilverPlan(source, until, fingerprint, None, reason)

    if forced:
        return of_all_files("it is forced")
    if before is None:
        return of_all_files("it does not exist yet")
    if before.fingerprint != fingerprint:
        return of_all_files("its code or the time zones changed")
    if before.until == until:
        return None
    if before.until > until:
        return of_all_files("bronze was restored to an earlier state")
    since = before.until if by_day else None
    return SilverPlan(source, until, fingerprint, since, "files are new")


def candidates_of_all_files(
    tables: Tables, plan: SilverPlan, airports: DataFrame | None
) -> Candidates:
    """Return the candidates of all files of a source, computed, counted and cached.

    Args:
        tables: The tables.
        plan: What is done to the source.
        airports: Silver airports; None for the airports themselves.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    bronze = tables.read(bronze_table(plan.source))
    typed = SILVER[plan.source].candidates(bronze, bronze if airports is None else airports)
    rows = _with_duplicates(persisted(typed), plan.source)
    quarantined = _validate_counts(plan.source, bronze, rows)
    silver = to_silver(rows)
    content = content_hash_of(silver)
    return Candidates(
        plan, bronze, rows, silver, None, "true", None, quarantined, content.rows, content
    )


def candidates_of_new_files(
    tables: Tables,
    hashes: ContentHashCache,
    plan: SilverPlan,
    airports: DataFrame,
    since: dt.datetime,
) -> Candidates:
    """Return the candidates of the files that are new to silver, with what they supersede.

    Args:
        tables: The tables.
        hashes: Their content hashes.
        plan: What is done to the source.
        airports: Silver airports.
        since: Files that were ingested later are new.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    table, name = SILVER[plan.source], silver_table(plan.source)
    bronze, silver = tables.read(bronze_table(plan.source)), tables.read(name)
    is_new = F.col(INGESTED) > F.lit(since)
    new = bronze.where(is_new)
    typed = persisted(table.candidates(new, airports))
    _validate_counts(plan.source, new, typed)
    good, day = to_silver(typed), F.to_date(table.day)
    around = F.explode(F.array(F.date_sub(day, 1), day, F.date_add(day, 1)))
    near = silver.where(_in_months(good, around, silver, table.day)[1])
    old = near.join(good.select(*table.key).distinct(), on=list(table.key), how="left_semi")
    either = typed.unionByName(old.withColumn(REFUSAL, F.lit(None)))
    rows = _with_duplicates(persisted(either), plan.source)
    unpersist(typed)
    winners, superseded = to_silver(rows), rows.where(~is_new).drop(REFUSAL)
    months, inside = _in_months(winners.unionByName(superseded), day, silver, table.day)
    rest = silver.where(inside).join(
        winners.select(*table.key), on=list(table.key), how="left_anti"
    )
    written = persisted(rest.select(*silver.columns).unionByName(winners))
    before = hashes.get(name)
    return Candidates(
        plan=plan,
        bronze=_with_superseded(new, bronze, superseded),
        rows=rows,
        silver=written,
        months=months,
        inside=inside,
        days=ranges_of(_changed_days(winners, superseded, day)),
        quarantined=rows.where(F.col(REFUSAL).isNotNull()).count(),
        written=written.count(),
        content=before.replaced(content_hash_of(superseded), content_hash_of(winners)),
    )


def _in_months(
    rows: DataFrame, day: Column, silver: DataFrame, column: str
) -> tuple[tuple[DayRange, ...], str]:
    """Return the months of the days of rows, and the same as an SQL condition over silver."""
    firsts = rows.select(day.alias("day")).select(F.trunc("day", "month").alias("first")).distinct()
    months = months_of(row["first"] for row in firsts.collect())
    is_instant = silver.schema[column].dataType.typeName() == "timestamp"
    return months, sql_of(months, column, is_instant=is_instant)


def _changed_days(added: DataFrame, removed: DataFrame, day: Column) -> list[dt.date]:
    """Return the days of rows that were added or removed, but not of rows with equal values.

    The lineage of a row does not count.
    """
    kinds = {field.name: field.dataType.typeName() for field in added.schema}
    values = [
        F.col(name).cast("string").alias(name) if kind in {"double", "float"} else F.col(name)
        for name, kind in kinds.items()  # as text, 0 and -0 are two values
        if name not in LINEAGE
    ]
    both = added.select(*values, F.lit(1).alias("change")).unionByName(
        removed.select(*values, F.lit(-1).alias("change"))
    )
    names = [name for name in both.columns if name != "change"]
    changed = both.groupBy(*names).agg(F.sum("change").alias("change")).where("change <> 0")
    return [row["day"] for row in changed.select(day.alias("day")).distinct().collect()]


def _with_superseded(new: DataFrame, bronze: DataFrame, superseded: DataFrame) -> DataFrame:
    """Return new rows as received, with the rows of older files that are superseded."""
    found = superseded.agg(
        F.collect_set(SOURCE_CHECKSUM), F.min(SOURCE_ROW), F.max(SOURCE_ROW), F.max(INGESTED)
    ).first()
    if found is None or not found[0]:
        return new
    files, first, last, until = found
    rows = F.col(SOURCE_ROW).between(first, last) & (F.col(INGESTED) <= F.lit(until))
    return new.unionByName(bronze.where(F.col(SOURCE_CHECKSUM).isin(*files) & rows))


def _with_duplicates(typed: DataFrame, source: str) -> DataFrame:
    """Return the candidates with duplicate keys marked for quarantine; computes and caches them."""
    table = SILVER[source]
    duplicates = persisted(to_duplicate_keys(typed, table.key))
    rows = typed
    if not duplicates.isEmpty():
        rows = persisted(
            with_duplicates_refused(typed, duplicates, key=table.key, words=table.words)
        )
        rows.count()
        unpersist(typed)
    unpersist(duplicates)
    return rows


def _validate_counts(source: str, bronze: DataFrame, rows: DataFrame) -> int:
    """Return how many rows go to quarantine, if each row of each file came out once."""
    counts = (F.count("*").alias("rows"), F.count(REFUSAL).alias("quarantined"))
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
    return sum(file["quarantined"] for file in came_out)


def _rows_by_file(counted: Sequence[Row]) -> dict[tuple[str, str], int]:
    return {(row[SOURCE_FILE], row[SOURCE_CHECKSUM]): row["rows"] for row in counted}


def _plan_source(
    tables: Tables, source: str, fingerprint: str, *, forced: bool
) -> SilverPlan | None:
    until = last_ingest(tables, source)
    if until is None:
        raise TableMissingError(f"Table {bronze_table(source)} does not exist: run stage ingest.")
    try:
        before = from_description(SilverCommit, tables.description(silver_table(source)))
    except TableMissingError:
        before = None
    return plan_silver(
        source,
        before,
        until=until,
        fingerprint=fingerprint,
        by_day=bool(SILVER[source].day),
        forced=forced,
    )


def _digest(parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
