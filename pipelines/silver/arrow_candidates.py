"""Candidates in memory: one Spark job types the rows of a source, and Arrow does all that follows.

For sources whose rows fit into the driver's memory and whose tables Arrow reads and writes. The
rows, their refusals and the tables are those that `spark_candidates` makes of the same files.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import functions as F

from features.declare.columns import (
    INGESTED,
    LINEAGE,
    SOURCE_CHECKSUM,
    SOURCE_FILE,
    SOURCE_ROW,
)
from features.silver.deduplicate import with_duplicates_refused
from features.silver.fields import REASON, REFUSAL, RULE, SINCE
from features.silver.raw import RAW_COLUMNS, UNREADABLE
from features.silver.silver_tables import SILVER, to_quarantine
from pipelines.quality.silver_suite import silver_conditions
from pipelines.quality.validation import condition_columns
from pipelines.silver.silver_plan import Candidates, require_equal_counts
from pipelines.silver.table_names import bronze_table, silver_table
from pipelines.spark.arrow_frames import frame_of
from pipelines.tables.arrow_files import DayColumn, files_of_table, read_days
from pipelines.tables.content_hash import (
    ROW_HASHES,
    ContentHash,
    content_hash_of,
    content_hash_of_rows,
    with_row_hashes,
)
from pipelines.tables.day_ranges import months_of, ranges_of
from pipelines.tables.locations import spark_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

    from features.offline.blocks import DayRange
    from features.silver.silver_tables import SilverTable
    from pipelines.silver.silver_plan import SilverPlan
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables
    from pipelines.tables.local_tables import LocalTables

_REFUSAL: Final = (RULE, REASON, SINCE)
_FILE: Final = (SOURCE_FILE, SOURCE_CHECKSUM)
_POSITION: Final = "position"
_CHANGE: Final = "change"
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TypedRows:
    """The rows of a source, typed.

    Attributes:
        rows: The rows with their hashes, the conditions of their suite, and their refusals.
        frame: The frame of the silver columns, for their types; it is not computed again.
    """

    rows: pa.Table
    frame: DataFrame


def in_memory_candidates(
    tables: Tables,
    local: LocalTables,
    hashes: ContentHashCache,
    plan: SilverPlan,
    zones: pa.Table | None,
) -> Candidates:
    """Return the candidates of a source, of all its files or of the new ones.

    Args:
        tables: The tables.
        local: The same tables as Arrow reads them.
        hashes: Their content hashes.
        plan: What is done to the source.
        zones: Codes and time zones of silver airports; None for the airports themselves.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    source, spark, name = plan.source, tables.spark, bronze_table(plan.source)
    if plan.since is None:
        received = local.rows(name, _FILE)
        bronze = spark.read.schema(_bronze_schema(source)).parquet(
            *map(spark_path, local.paths(name))
        )
    else:
        new = local.rows(name, where=newer_than(plan))
        received, bronze = new.select(_FILE), frame_of(spark, new)
    airports = bronze if zones is None else frame_of(spark, zones)
    frame = SILVER[source].candidates(bronze, airports)
    typed = TypedRows(_typed(frame, source), frame.drop(REFUSAL))
    require_equal_counts(source, _rows_by_file(received), _rows_by_file(typed.rows))
    if plan.since is None:
        return _of_all_files(spark, local, plan, typed)
    return _of_new_files(spark, local, plan, typed, hashes.get(silver_table(source)))


def newer_than(plan: SilverPlan) -> ds.Expression | None:
    """Return which rows of bronze a plan reads; None: all."""
    return None if plan.since is None else pc.field(INGESTED) > pa.scalar(plan.since, _INSTANT)


def _of_all_files(
    spark: SparkSession, local: LocalTables, plan: SilverPlan, typed: TypedRows
) -> Candidates:
    rows = _with_duplicates(spark, typed.rows, SILVER[plan.source])
    good = rows.filter(pc.is_null(rows[RULE]))
    return Candidates(
        plan=plan,
        validated=good.drop([*_REFUSAL, *ROW_HASHES]),
        conditions=tuple(silver_conditions(plan.source)),
        refused=_to_quarantine(spark, local, rows, plan.source),
        months=None,
        days=None,
        quarantined=rows.num_rows - good.num_rows,
        written=good.num_rows,
        content=content_hash_of_rows(good, typed.frame),
    )


def _of_new_files(
    spark: SparkSession,
    local: LocalTables,
    plan: SilverPlan,
    typed: TypedRows,
    before: ContentHash,
) -> Candidates:
    """Return the candidates of new files, with the rows of silver in the same months."""
    source, table = plan.source, SILVER[plan.source]
    column = day_column(local, source)
    good = typed.rows.filter(pc.is_null(typed.rows[RULE]))
    around = {day + shift * _DAY for day in _days(good, column) for shift in (-1, 0, 1)}
    near = _rows_of_months(local, source, column, months_of(around))
    old = near.filter(_has_key(near, good, table.key))
    either = pa.concat_tables([typed.rows, old], promote_options="default")
    rows = _with_duplicates(spark, either, table)
    winners = rows.filter(pc.is_null(rows[RULE]))
    superseded = rows.filter(pc.invert(pc.greater(rows[INGESTED], pa.scalar(plan.since, _INSTANT))))
    superseded = superseded.select(old.column_names)
    changed = [*_days(winners, column), *_days(superseded, column)]
    months = months_of(changed)
    silver = _rows_of_months(local, source, column, months)
    rest = silver.filter(pc.invert(_has_key(silver, winners, table.key)))
    new = winners.drop([*_REFUSAL, *ROW_HASHES])
    written = pa.concat_tables(
        [_with_conditions(spark, rest, source).select(new.column_names).cast(new.schema), new]
    )
    added = content_hash_of_rows(winners, typed.frame)
    removed = ContentHash(added.columns, 0, tuple(0 for _ in added.sums))
    if superseded.num_rows:
        removed = content_hash_of(frame_of(spark, superseded))
    return Candidates(
        plan=plan,
        validated=written,
        conditions=tuple(silver_conditions(source)),
        refused=_to_quarantine(spark, local, rows, source),
        months=months,
        days=ranges_of(_changed_days(winners.select(old.column_names), superseded, column)),
        quarantined=rows.num_rows - winners.num_rows,
        written=written.num_rows,
        content=before.replaced(removed, added),
    )


def day_column(local: LocalTables, source: str) -> DayColumn:
    """Return the column by which the rows of a silver table belong to days."""
    day = SILVER[source].day
    schema = local.rows(silver_table(source), [day], pc.scalar(value=False)).schema
    return DayColumn(day, is_instant=pa.types.is_timestamp(schema.field(day).type))


def _typed(frame: DataFrame, source: str) -> pa.Table:
    """Return typed rows, computed: with hashes, conditions of their suite, and refusals."""
    silver = frame.drop(REFUSAL).columns
    conditions = condition_columns(silver_conditions(source))
    return (
        with_row_hashes(frame, silver)
        .select(
            *silver,
            *ROW_HASHES,
            *(condition.alias(name) for name, condition in conditions.items()),
            *(f"{REFUSAL}.{name}" for name in _REFUSAL),
        )
        .toArrow()
    )


def _bronze_schema(source: str) -> str:
    text = (*RAW_COLUMNS[source], UNREADABLE, *_FILE)
    names = ", ".join(f"`{name}` string" for name in text)
    return f"{names}, `{SOURCE_ROW}` bigint, `{INGESTED}` timestamp"


def _rows_by_file(rows: pa.Table) -> dict[tuple[str, str], int]:
    counted = rows.group_by(list(_FILE)).aggregate([([], "count_all")])
    return {
        (row[SOURCE_FILE], row[SOURCE_CHECKSUM]): row["count_all"] for row in counted.to_pylist()
    }


def _with_duplicates(spark: SparkSession, rows: pa.Table, table: SilverTable) -> pa.Table:
    """Return the rows with all but one of each key refused, which Spark decides on those alone."""
    key = list(table.key)
    rows = rows.append_column(_POSITION, pa.array(np.arange(rows.num_rows), pa.int64()))
    good = rows.filter(pc.is_null(rows[RULE])).select([*key, *LINEAGE, _POSITION])
    counted = good.group_by(key).aggregate([([], "count_all")])
    duplicates = counted.filter(pc.greater(counted["count_all"], 1)).select(key)
    if not duplicates.num_rows:
        return rows.drop([_POSITION])
    several = frame_of(spark, good.filter(_has_key(good, duplicates, key)))
    decided = with_duplicates_refused(
        several.withColumn(REFUSAL, F.lit(None)),
        frame_of(spark, duplicates),
        key=key,
        words=table.words,
    )
    refused = decided.where(F.col(REFUSAL).isNotNull())
    found = refused.select(_POSITION, *(f"{REFUSAL}.{name}" for name in _REFUSAL)).toArrow()
    place = np.full(rows.num_rows, -1)
    place[found[_POSITION].to_numpy()] = np.arange(found.num_rows)
    index = pa.array(place, mask=place < 0)
    for name in _REFUSAL:
        merged = pc.coalesce(rows[name], found[name].cast(rows[name].type).take(index))
        rows = rows.set_column(rows.column_names.index(name), name, merged)
    return rows.drop([_POSITION])


def _to_quarantine(
    spark: SparkSession, local: LocalTables, rows: pa.Table, source: str
) -> pa.Table | None:
    """Return the refused rows as quarantine has them; None if no row is refused."""
    refused = rows.filter(pc.is_valid(rows[RULE])).select([*LINEAGE, *_REFUSAL])
    if not refused.num_rows:
        return None
    checksums = pc.unique(refused[SOURCE_CHECKSUM])
    numbers = pc.unique(refused[SOURCE_ROW])
    received = local.rows(
        bronze_table(source),
        where=pc.field(SOURCE_CHECKSUM).isin(checksums) & pc.field(SOURCE_ROW).isin(numbers),
    )
    candidates = frame_of(spark, refused).withColumn(REFUSAL, F.struct(*_REFUSAL))
    return to_quarantine(candidates, frame_of(spark, received), source).toArrow()


def _with_conditions(spark: SparkSession, rows: pa.Table, source: str) -> pa.Table:
    """Return rows of silver with the columns that their suite needs."""
    conditions = condition_columns(silver_conditions(source))
    if not conditions:
        return rows
    found = frame_of(spark, rows).withColumns(conditions).select(*conditions).toArrow()
    for name in conditions:
        rows = rows.append_column(name, found[name])
    return rows


def _rows_of_months(
    local: LocalTables, source: str, column: DayColumn, months: Sequence[DayRange]
) -> pa.Table:
    name = silver_table(source)
    files = files_of_table(local.folder(name), column)
    columns = local.rows(name, where=pc.scalar(value=False)).column_names
    parts = [
        read_days(files, columns, column, one.first, one.last)
        for one in months
        if one.first is not None and one.last is not None and files
    ]
    return pa.concat_tables(parts) if parts else local.rows(name, where=pc.scalar(value=False))


def _days(rows: pa.Table, column: DayColumn) -> set[dt.date]:
    return set(pc.unique(_as_days(rows[column.name])).to_pylist())


def _as_days(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values if pa.types.is_date(values.type) else values.cast(_INSTANT).cast(pa.date32())


def _has_key(rows: pa.Table, others: pa.Table, key: Sequence[str]) -> pa.Array:
    """Return for each row whether another table has its key; keys are not null."""
    numbered = rows.select(list(key)).append_column(_POSITION, pa.array(np.arange(rows.num_rows)))
    keys = others.select(list(key)).cast(rows.select(list(key)).schema)
    found = numbered.join(keys, keys=list(key), join_type="left semi")
    has = np.zeros(rows.num_rows, np.bool_)
    has[found[_POSITION].to_numpy()] = True
    return pa.array(has)


def _changed_days(added: pa.Table, removed: pa.Table, column: DayColumn) -> list[dt.date]:
    """Return the days of rows that were added or removed, but not of rows with equal values.

    The lineage of a row does not count.
    """
    names = [name for name in added.column_names if name not in LINEAGE]
    parts = [
        _comparable(rows.select(names)).append_column(_CHANGE, pa.repeat(change, rows.num_rows))
        for rows, change in ((added, 1), (removed, -1))
    ]
    both = pa.concat_tables(parts)
    counted = both.group_by(names).aggregate([(_CHANGE, "sum")])
    changed = counted.filter(pc.not_equal(counted[f"{_CHANGE}_sum"], 0))
    return sorted(_days(changed, column))


def _comparable(rows: pa.Table) -> pa.Table:
    """Return the rows with fractional numbers as text: there 0 and -0 are two values."""
    kinds = [
        field.with_type(pa.string()) if pa.types.is_floating(field.type) else field
        for field in rows.schema
    ]
    return rows.cast(pa.schema([pa.field(one.name, one.type) for one in kinds]))
