"""Stage ingest: source files to bronze as received, and on to silver and quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.quality.data_docs import data_docs_index
from pipelines.quality.silver_suite import validate_silver
from pipelines.runtime.context import StageOutcome
from pipelines.silver.bronze import add_all_new_files
from pipelines.silver.silver_build import (
    all_candidates,
    figures_of,
    refused_reasons,
    told,
    validate_totals,
    write_silver,
)
from pipelines.tables.content_hash import Contents

if TYPE_CHECKING:
    from pipelines.runtime.context import Json, RunContext


def run(context: RunContext) -> StageOutcome:
    """Ingest the files that are new, and bring silver and quarantine up to date.

    Raises:
        SourceError: A source file is not there or cannot be read.
        ReconciliationError: Rows received = silver + quarantine does not hold.
        DataQualityError: Rows for silver do not meet what is expected of them.
    """
    new, tables = add_all_new_files(context), context.tables
    contents = Contents(tables, context.settings.home)
    candidates = all_candidates(tables, contents, forced="ingest" in context.forced)
    for one in candidates:
        context.console.step(told(one))
        if one.written or one.months is None:
            home = context.settings.home
            validate_silver(one.silver, rows=one.written, source=one.source, home=home)
    if candidates:
        write_silver(tables, contents, candidates)
    for one in candidates:
        one.release()
    return _outcome(context, contents, new)


def _outcome(context: RunContext, contents: Contents, new: dict[str, int]) -> StageOutcome:
    figures = {source: figures_of(context.tables, contents, source) for source in new}
    refused = {source: each.refused for source, each in figures.items()}
    validate_totals(context.tables, sum(refused.values()))
    kept = {source: each.kept for source, each in figures.items()}
    reasons = refused_reasons(context.tables) if any(refused.values()) else []
    outputs: dict[str, Json] = {
        "received": {source: kept[source] + refused[source] for source in new},
        "new": new,
        "kept": kept,
        "quarantine": refused,
        "silver": {source: each.content_hash for source, each in figures.items()},
        "reasons": [[reason, rows] for reason, rows in reasons],
        "data_docs": str(data_docs_index(context.settings.home)),
    }
    note = f"{sum(kept.values()):,} rows in silver, {sum(refused.values()):,} in quarantine"
    return StageOutcome(outputs, (note,))
