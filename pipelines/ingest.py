"""Stage ingest: source files to bronze as received, and on to silver and quarantine."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

from features.silver.catalog import to_silver
from features.silver.raw import RAW_COLUMNS
from pipelines.bronze import add_new_files, bronze_table, staging_folder
from pipelines.command import stage_main
from pipelines.context import StageOutcome
from pipelines.data_docs import data_docs_index
from pipelines.silver import (
    QUARANTINE,
    candidates_of,
    refused_reasons,
    silver_table,
    stale_sources,
    validate_counts,
    write_silver,
)
from pipelines.silver_quality import validate_silver

if TYPE_CHECKING:
    from pipelines.context import Json, RunContext


def run(context: RunContext) -> StageOutcome:
    """Ingest the files that are new, and bring silver and quarantine up to date.

    Raises:
        SourceError: A source file is not there or cannot be read.
        DataQualityError: Rows for silver do not meet what is expected of them.
        ReconciliationError: Rows in = silver + quarantine does not hold.
    """
    new = _add_all_new_files(context)
    tables = context.tables
    marks = stale_sources(tables)
    candidates = candidates_of(tables, [source for source in RAW_COLUMNS if source in marks])
    for one in candidates:
        validate_counts(one)
        validate_silver(to_silver(one.rows), source=one.source, home=context.settings.home)
    if candidates:
        write_silver(tables, candidates, marks)
    for one in candidates:
        one.release()
    return _outcome(context, new)


def _add_all_new_files(context: RunContext) -> dict[str, int]:
    at = dt.datetime.now(dt.UTC)
    new = {}
    with staging_folder(context.settings.home) as folder:
        for source in RAW_COLUMNS:
            added = add_new_files(context, source, folder=folder, at=at)
            new[source] = sum(file.rows for file in added)
            names = ", ".join(file.source.name for file in added)
            context.console.step(
                f"{source}: {new[source]:,} rows of {names}" if added else f"{source}: nothing new"
            )
    return new


def _outcome(context: RunContext, new: dict[str, int]) -> StageOutcome:
    tables = context.tables
    received = {source: tables.count(bronze_table(source)) for source in RAW_COLUMNS}
    kept = {source: tables.count(silver_table(source)) for source in RAW_COLUMNS}
    refused = {source: received[source] - kept[source] for source in RAW_COLUMNS}
    outputs: dict[str, Json] = {
        "received": received,
        "new": new,
        "kept": kept,
        "quarantine": refused,
        "silver": {source: tables.content_hash(silver_table(source)) for source in RAW_COLUMNS},
        "reasons": [[reason, rows] for reason, rows in refused_reasons(tables)],
        "data_docs": str(data_docs_index(context.settings.home)),
    }
    note = f"{sum(kept.values()):,} rows in silver, {tables.count(QUARANTINE):,} in quarantine"
    return StageOutcome(outputs, (note,))


if __name__ == "__main__":
    sys.exit(stage_main("ingest"))
