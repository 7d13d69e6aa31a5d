"""Stage ingest: appends source files to bronze as received, then writes silver and quarantine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipelines.quality.data_docs import data_docs_index
from pipelines.quality.silver_suite import validate_silver
from pipelines.quality.validation import import_validator
from pipelines.runtime.context import StageOutcome
from pipelines.silver.bronze import ingest_new_files
from pipelines.silver.candidates import all_candidates
from pipelines.silver.silver_writer import (
    count_rows,
    describe,
    top_reasons,
    validate_totals,
    write_silver,
)
from pipelines.tables.content_hash_cache import ContentHashCache

if TYPE_CHECKING:
    from pipelines.runtime.context import Json, RunContext


def run(context: RunContext) -> StageOutcome:
    """Ingest the files that are new, and update silver and quarantine.

    Raises:
        SourceError: A source file is not there or cannot be read.
        ReconciliationError: Rows received = silver + quarantine does not hold.
        DataQualityError: Rows for silver do not meet their expectations.
    """
    new, tables = ingest_new_files(context), context.tables
    hashes = ContentHashCache(tables, context.settings.home)
    with ThreadPoolExecutor(1) as pool:
        if any(new.values()):  # imported while Java computes: it takes seconds
            pool.submit(import_validator)
        candidates = all_candidates(tables, hashes, forced="ingest" in context.forced)
    for one in candidates:
        context.console.step(describe(one))
        if one.written or one.months is None:
            home = context.settings.home
            validate_silver(one.validated, rows=one.written, source=one.source, home=home)
    if candidates:
        write_silver(tables, hashes, candidates)
    for one in candidates:
        one.release()
    return _outcome(context, hashes, new)


def _outcome(context: RunContext, hashes: ContentHashCache, new: dict[str, int]) -> StageOutcome:
    counts = {source: count_rows(context.tables, hashes, source) for source in new}
    silver = {source: each.silver for source, each in counts.items()}
    quarantine = {source: each.quarantine for source, each in counts.items()}
    validate_totals(context.tables, sum(quarantine.values()))
    reasons = top_reasons(context.tables) if any(quarantine.values()) else []
    outputs: dict[str, Json] = {
        "received": {source: silver[source] + quarantine[source] for source in new},
        "new": new,
        "kept": silver,
        "quarantine": quarantine,
        "silver": {source: each.content_hash for source, each in counts.items()},
        "reasons": [[reason, rows] for reason, rows in reasons],
        "data_docs": str(data_docs_index(context.settings.home)),
    }
    note = f"{sum(silver.values()):,} rows in silver, {sum(quarantine.values()):,} in quarantine"
    return StageOutcome(outputs, (note,))
