"""Stage build_features: the silver tables to the gold feature table of one horizon."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features.columns import FLIGHT_DATE
from pipelines.command import stage_main
from pipelines.contents import Contents
from pipelines.context import StageOutcome
from pipelines.days import day_range
from pipelines.feature_table import write_features
from pipelines.gold_quality import validate_gold

if TYPE_CHECKING:
    from pipelines.context import Json, RunContext


def run(context: RunContext, *, from_day: str = "", to_day: str = "") -> StageOutcome:
    """Compute the feature table, or a range of its days, and check it.

    Args:
        context: What every stage is given.
        from_day: First flight date to compute, YYYY-MM-DD; empty is from the beginning.
        to_day: Last flight date to compute; empty is to the end.

    Raises:
        DayRangeError: The range cannot be read, or ends before it begins.
    """
    days, tables, home = day_range(from_day, to_day), context.tables, context.settings.home
    name = context.settings.features.table
    contents = Contents(tables, home)
    before = contents.known(name)
    written = write_features(context, name, days=days)
    where = written.sql(FLIGHT_DATE)
    # What a range does not touch is as it was checked before: its cost must not grow with history.
    report = validate_gold(tables.read(name).where(where), table=name, home=home)
    content = contents.after(name, where=where, before=before)
    version = tables.version(name)
    outputs: dict[str, Json] = {"table": name, "version": version, "rows": content.rows}
    outputs |= {"gold_hash": content.digest, "data_docs": str(report.path)}
    note = f"{name}: {content.rows:,} rows, {report.rows:,} of them written, version {version}"
    return StageOutcome(outputs, (note,))


if __name__ == "__main__":
    sys.exit(stage_main("build_features"))
