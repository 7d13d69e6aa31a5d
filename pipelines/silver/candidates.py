"""Candidates: rows for silver and quarantine, computed from bronze but not written yet.

For each source a plan decides whether silver is up to date, or is computed from the new files, or
from all of them; and by their number whether the rows are computed in memory or by Spark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from features.silver.raw import AIRPORTS, FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.reference_tables import AIRPORT, TIME_ZONE
from features.silver.silver_tables import SILVER
from pipelines.quality.validation import MOST_CELLS_IN_MEMORY
from pipelines.runtime.source_code import code_of
from pipelines.silver.arrow_candidates import in_memory_candidates, newer_than
from pipelines.silver.silver_plan import digest_of, plan_source
from pipelines.silver.spark_candidates import candidates_of_all_files, candidates_of_new_files
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.spark.arrow_frames import frame_of
from pipelines.spark.concurrency import run_concurrently

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.silver.silver_plan import Candidates, SilverPlan
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables
    from pipelines.tables.local_tables import LocalTables

_NEED_AIRPORTS = (WEATHER, FLIGHTS)


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
    code = digest_of(
        sorted(
            {
                **code_of("features.silver.silver_tables"),
                **code_of("features.silver.deduplicate"),
            }.items()
        )
    )
    plan = plan_source(tables, AIRPORTS, code, forced=forced)
    first = [_candidates(tables, hashes, plan, None)] if plan else []
    zones = _zones(first[0].silver if first else None, tables)
    pairs = zip(zones[AIRPORT].to_pylist(), zones[TIME_ZONE].to_pylist(), strict=True)
    by_zones = digest_of([code, digest_of(sorted(pairs, key=repr))])

    def candidates(source: str) -> Candidates | None:
        fingerprint = by_zones if source in _NEED_AIRPORTS else code
        plan = plan_source(tables, source, fingerprint, forced=forced)
        return None if plan is None else _candidates(tables, hashes, plan, zones)

    # The longest, which comes last, first.
    rest = [source for source in reversed(RAW_COLUMNS) if source != AIRPORTS]
    found = reversed(run_concurrently(candidates, rest))
    return [*first, *(one for one in found if one is not None)]


def _candidates(
    tables: Tables, hashes: ContentHashCache, plan: SilverPlan, zones: pa.Table | None
) -> Candidates:
    local = tables.local(bronze_table(plan.source), silver_table(plan.source), QUARANTINE)
    if local is not None and _fit_in_memory(local, plan):
        return in_memory_candidates(tables, local, hashes, plan, zones)
    airports = None if zones is None else frame_of(tables.spark, zones)
    if plan.since is None:
        return candidates_of_all_files(tables, plan, airports)
    if airports is None:
        raise TypeError(f"The candidates of {plan.source} need time zones.")
    return candidates_of_new_files(tables, hashes, plan, airports, plan.since)


def _fit_in_memory(local: LocalTables, plan: SilverPlan) -> bool:
    rows = local.count(bronze_table(plan.source), newer_than(plan))
    return rows * len(SILVER[plan.source].fields) <= MOST_CELLS_IN_MEMORY


def _zones(airports: DataFrame | pa.Table | None, tables: Tables) -> pa.Table:
    """Return code and time zone of each airport, of candidates or of the silver table."""
    columns = [AIRPORT, TIME_ZONE]
    if isinstance(airports, pa.Table):
        return airports.select(columns)
    if airports is not None:
        return airports.select(*columns).toArrow()
    name = silver_table(AIRPORTS)
    local = tables.local(name)
    if local is not None and local.exists(name):
        return local.rows(name, columns)
    return tables.read(name).select(*columns).toArrow()
