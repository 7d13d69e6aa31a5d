"""Stage ingest: source files to bronze as received, and on to silver and quarantine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features.silver.catalog import to_silver
from pipelines.bronze import add_all_new_files
from pipelines.command import stage_main
from pipelines.context import StageOutcome
from pipelines.data_docs import data_docs_index
from pipelines.keeping import let_go
from pipelines.silver import (
    Candidates,
    all_candidates,
    figures_of,
    refused_reasons,
    stale_sources,
    write_silver,
)
from pipelines.silver_quality import validate_silver

if TYPE_CHECKING:
    from pipelines.context import Json, RunContext


def run(context: RunContext) -> StageOutcome:
    """Ingest the files that are new, and bring silver and quarantine up to date.

    Raises:
        SourceError: A source file is not there or cannot be read.
        ReconciliationError: Rows received = silver + quarantine does not hold.
        DataQualityError: Rows for silver do not meet what is expected of them.
    """
    new = add_all_new_files(context)
    marks = stale_sources(context.tables)
    candidates = all_candidates(context.tables, marks)
    for one in candidates:
        silver, home = to_silver(one.rows), context.settings.home
        validate_silver(silver, rows=one.kept, source=one.source, home=home)
    if candidates:
        write_silver(context.tables, candidates, marks)
    for one in candidates:
        let_go(one.rows)
    return _outcome(context, new, {one.source: one for one in candidates})


def _outcome(
    context: RunContext, new: dict[str, int], ready: dict[str, Candidates]
) -> StageOutcome:
    figures = {source: figures_of(context.tables, source, ready.get(source)) for source in new}
    kept = {source: each.kept for source, each in figures.items()}
    refused = {source: each.refused for source, each in figures.items()}
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


if __name__ == "__main__":
    sys.exit(stage_main("ingest"))
