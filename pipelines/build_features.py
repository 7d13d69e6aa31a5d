"""Stage build_features: computes the feature table from silver, current or as of a past ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.gold.as_of import compare_with_record, plan_as_of
from pipelines.gold.build import build_gold, plan_gold
from pipelines.quality.data_docs import data_docs_index
from pipelines.runtime.context import StageOutcome
from pipelines.runtime.days import day_range
from pipelines.tables.content_hash_cache import ContentHashCache

if TYPE_CHECKING:
    from pipelines.runtime.context import Json, RunContext


def run(context: RunContext, *, from_day: str = "", to_day: str = "") -> StageOutcome:
    """Update the feature table, or compute a range of its days.

    Args:
        context: What every stage is given.
        from_day: First flight date to compute, YYYY-MM-DD; empty is from the beginning.
        to_day: Last flight date to compute; empty is to the end. Both empty: the days that what
            changed in silver reaches, or all if code, declarations or settings changed.

    Raises:
        DayRangeError: The range cannot be read, or ends before it begins.
        AsOfError: Nothing had been ingested by then, or the table differs from the recorded one.
    """
    asked_for = day_range(from_day, to_day)  # an error is reported before Spark starts
    tables, features = context.tables, context.settings.features
    name, at = features.table, features.as_of_ingest
    plan = plan_as_of(context, name, at, asked_for) if at else plan_gold(context, name, asked_for)
    context.console.step(f"{name}: {plan.reason}")
    content, written = build_gold(context, name, plan)
    if at:
        of_all, home = features.model_copy(update={"as_of_ingest": None}), context.settings.home
        found = compare_with_record(
            tables, ContentHashCache(tables, home), of_all.table, plan.commit, content
        )
        context.console.step(f"{name}: {found}")
    version = tables.version(name)
    outputs: dict[str, Json] = {"table": name, "version": version, "rows": content.rows}
    outputs |= {
        "gold_hash": content.digest,
        "data_docs": str(data_docs_index(context.settings.home)),
    }
    note = f"{name}: {content.rows:,} rows, {written:,} of them written, version {version}"
    return StageOutcome(outputs, (note,))
