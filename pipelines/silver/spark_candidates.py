"""Candidates computed by Spark: of any size, and wherever the tables are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, LINEAGE, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.deduplicate import to_duplicate_keys, with_duplicates_refused
from features.silver.fields import REFUSAL
from features.silver.raw import FLIGHTS, WEATHER
from features.silver.silver_tables import SILVER, to_quarantine, to_silver
from pipelines.silver.silver_plan import Candidates, require_equal_counts
from pipelines.silver.table_names import bronze_table, silver_table
from pipelines.spark.persist import persisted, unpersist
from pipelines.tables.content_hash import content_hash_of
from pipelines.tables.day_ranges import months_of, ranges_of, sql_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row

    from features.offline.blocks import DayRange
    from pipelines.silver.silver_plan import SilverPlan
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables

_FILE = (SOURCE_FILE, SOURCE_CHECKSUM)
_NEED_AIRPORTS = (WEATHER, FLIGHTS)


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
        plan=plan,
        validated=silver,
        refused=to_quarantine(rows, bronze, plan.source),
        months=None,
        days=None,
        quarantined=quarantined,
        written=content.rows,
        content=content,
        cached=(rows,),
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
        validated=written,
        refused=to_quarantine(rows, _with_superseded(new, bronze, superseded), plan.source),
        months=months,
        inside=inside,
        days=ranges_of(_changed_days(winners, superseded, day)),
        quarantined=rows.where(F.col(REFUSAL).isNotNull()).count(),
        written=written.count(),
        content=before.replaced(content_hash_of(superseded), content_hash_of(winners)),
        cached=(rows, written),
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
    require_equal_counts(source, before, _rows_by_file(came_out))
    return sum(file["quarantined"] for file in came_out)


def _rows_by_file(counted: Sequence[Row]) -> dict[tuple[str, str], int]:
    return {(row[SOURCE_FILE], row[SOURCE_CHECKSUM]): row["rows"] for row in counted}
