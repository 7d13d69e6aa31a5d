"""Stage build_features: the silver tables to the gold feature table of one horizon."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

from features.blocks import EVERY_DAY, DayRange, to_features
from features.columns import FLIGHT_DATE
from features.errors import OntimeError
from pipelines.command import stage_main
from pipelines.context import StageOutcome
from pipelines.gold_quality import validate_gold

if TYPE_CHECKING:
    from pipelines.context import RunContext


class DayRangeError(OntimeError):
    """A range of days cannot be read, or has no days."""


def run(context: RunContext, *, first_day: str = "", last_day: str = "") -> StageOutcome:
    """Compute the feature table, or a range of its days, and check it.

    Args:
        context: What every stage is given.
        first_day: First flight date to compute, YYYY-MM-DD; empty is from the beginning.
        last_day: Last flight date to compute; empty is to the end.

    Raises:
        DayRangeError: The range cannot be read, or ends before it begins.
    """
    settings, tables = context.settings.features, context.tables
    days = _day_range(first_day, last_day)
    name = gold_table(settings.horizon_min)
    frame = to_features(
        tables.read("silver_flights"),
        tables.read("silver_weather"),
        horizon_min=settings.horizon_min,
        block_days=settings.block_days,
        days=days,
    )
    if days == EVERY_DAY or not tables.exists(name):
        tables.replace(name, frame, description="build_features: every day")
    else:
        where = days.sql(FLIGHT_DATE)
        tables.replace_where(name, frame, predicate=where, description=f"build_features: {where}")
    report = validate_gold(tables.read(name), table=name, home=context.settings.home)
    gold_hash = tables.content_hash(name)
    version, rows = tables.version(name), report.rows
    outputs = {"table": name, "version": version, "gold_hash": gold_hash, "rows": rows}
    note = f"{name}: {rows:,} rows, {len(frame.columns)} columns, version {version}"
    return StageOutcome({**outputs, "data_docs": str(report.path)}, (note,))


def gold_table(horizon_min: int) -> str:
    """Return the name of the feature table of a horizon."""
    return f"gold_features_h{horizon_min}"


def _day_range(first: str, last: str) -> DayRange:
    try:
        days = DayRange(*(dt.date.fromisoformat(day) if day else None for day in (first, last)))
    except ValueError as error:
        raise DayRangeError(
            f"A day of '{first}' to '{last}' is not YYYY-MM-DD: {error}."
        ) from error
    if days.first and days.last and days.first > days.last:
        raise DayRangeError(f"The range from {first} to {last} has no days: swap the two.")
    return days


if __name__ == "__main__":
    sys.exit(stage_main("build_features"))
