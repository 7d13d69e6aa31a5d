"""Carrying out what is planned for a feature table: written, looked through, its content kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.columns import FLIGHT_DATE
from pipelines.contents import Contents
from pipelines.day_ranges import sql_of
from pipelines.feature_table import write_features
from pipelines.gold_plan import with_days
from pipelines.gold_quality import validate_gold

if TYPE_CHECKING:
    from pipelines.contents import Content
    from pipelines.context import RunContext
    from pipelines.gold_plan import GoldPlan


def bring_up_to_date(context: RunContext, name: str, plan: GoldPlan) -> tuple[Content, int]:
    """Carry out a plan, look through what is new, and return the content and the rows written.

    What a range does not touch is as it was looked through before: cost must not grow with history.
    That a content is kept tells that it was; it is not if a run was killed, or stopped by what it
    saw.
    """
    tables, home = context.tables, context.settings.home
    contents = Contents(tables, home)
    before = contents.known(name)
    if not plan.days and before is not None:
        return before[1], 0
    if plan.days:
        write_features(context, name, days=plan.days, mark=with_days(plan.mark, plan.days))
    where = "true" if before is None else sql_of(plan.days, FLIGHT_DATE)
    report = validate_gold(tables.read(name).where(where), table=name, home=home)
    content = contents.after(name, where=where, before=before)
    return content, report.rows if plan.days else 0
