"""Carrying out what is planned for a feature table: written, looked through, its content kept.

Which days of a feature table have to be made again, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from pyspark.sql import functions as F

from features.declare.columns import FLIGHT_DATE
from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.gold.feature_table import FLIGHTS, WEATHER, write_features
from pipelines.quality.gold_suite import validate_gold
from pipelines.runtime.fingerprint import fingerprint, parts_of
from pipelines.stages import stage_named
from pipelines.tables.commit_metadata import (
    GoldMark,
    SilverMark,
    SilverState,
    mark_of,
    ranges_of_days,
)
from pipelines.tables.content_hash import Contents
from pipelines.tables.day_ranges import affected_by, count_days, merged, sql_of
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.tables.content_hash import Content
    from pipelines.tables.delta_tables import Tables


_UNKNOWN = SilverState(-1, None)


@dataclass(frozen=True)
class GoldPlan:
    """What is to be done to a feature table.

    Attributes:
        days: The days to make, as ranges; none: it is up to date.
        mark: What the table is made of when that is done.
        why: The reason, for people.
    """

    days: tuple[DayRange, ...]
    mark: GoldMark
    why: str


def plan_gold(context: RunContext, name: str, asked_for: DayRange = EVERY_DAY) -> GoldPlan:
    """Return what is to be done to a feature table.

    Args:
        context: Tables, settings, and whether everything is to be made anew.
        name: The feature table.
        asked_for: Days that a person wants to have made, and no others; every day: those that
            changed.
    """
    tables = context.tables
    now = GoldMark(silver_state(tables, FLIGHTS), silver_state(tables, WEATHER), made_by(context))
    try:
        description = tables.description(name)
    except TableMissingError:
        return GoldPlan((EVERY_DAY,), now, "it is not made yet")
    before = mark_of(GoldMark, description)
    if asked_for != EVERY_DAY:
        return GoldPlan((asked_for,), before or GoldMark(_UNKNOWN, _UNKNOWN, ""), "asked for")
    if "build_features" in context.forced:
        return GoldPlan((EVERY_DAY,), now, "forced")
    if before is None or before.made_by != now.made_by:
        return decide_days(before, now, changed=(), flights=None)
    pairs = ((FLIGHTS, before.flights), (WEATHER, before.weather))
    changed = [changed_days(tables, table, state) for table, state in pairs]
    return decide_days(
        before, now, changed=merged([*changed[0], *changed[1]]), flights=_span(tables)
    )


def decide_days(
    before: GoldMark | None,
    now: GoldMark,
    *,
    changed: Sequence[DayRange],
    flights: tuple[dt.date, dt.date] | None,
) -> GoldPlan:
    """Return which days of a feature table have to be made again. Pure.

    Args:
        before: What it is made of; None: nobody knows.
        now: What it would be made of now.
        changed: Days on which silver changed since.
        flights: The first and the last day of silver flights; None: there are none.
    """
    if before is None:
        return GoldPlan((EVERY_DAY,), now, "nobody knows what it was made of")
    if before.made_by != now.made_by:
        return GoldPlan((EVERY_DAY,), now, "code, declarations or settings changed")
    if EVERY_DAY in changed or flights is None:
        return GoldPlan((EVERY_DAY,), now, "all of silver was made anew")
    days = affected_by(changed, flights)
    counted, gold = count_days(changed), count_days(days)
    why = (
        f"{counted:,} day{'' if counted == 1 else 's'} of silver changed: "
        f"{gold:,} day{' of gold is' if gold == 1 else 's of gold are'} rebuilt"
    )
    return GoldPlan(days, now, why)


def changed_days(tables: Tables, table: str, since: SilverState) -> tuple[DayRange, ...]:
    """Return the days on which a silver table changed since it was as it once was.

    Every day, if a commit made all of it, or if its history does not tell.
    """
    commits = tables.commits_since(table, since.version)
    marks = [mark_of(SilverMark, commit.description) for commit in commits]
    if not marks or marks[-1] is None or marks[-1].until != since.until:
        return (EVERY_DAY,)
    days: list[DayRange] = []
    for mark in marks[:-1]:
        if mark is None or mark.days is None:
            return (EVERY_DAY,)
        days.extend(ranges_of_days(mark.days))
    return merged(days)


def silver_state(tables: Tables, table: str) -> SilverState:
    """Return what a silver table is now."""
    commit = tables.last_change(table)
    mark = mark_of(SilverMark, commit.description)
    return SilverState(commit.version, None if mark is None else mark.until)


def with_days(mark: GoldMark, days: Sequence[DayRange]) -> GoldMark:
    """Return a mark with the days that its commit writes."""
    ends = tuple((one.first, one.last) for one in days if one.first and one.last)
    return msgspec.structs.replace(mark, days=ends if len(ends) == len(days) else None)


def made_by(context: RunContext) -> str:
    """Return the hash of all that decides the feature table, but for silver."""
    stage = replace(stage_named("build_features"), reads=())
    parts = parts_of(stage, context)
    del parts["features.as_of_ingest"]  # it decides which silver, and not what is made of it
    return fingerprint(parts)[:16]


def _span(tables: Tables) -> tuple[dt.date, dt.date] | None:
    ends = tables.read(FLIGHTS).agg(F.min(FLIGHT_DATE), F.max(FLIGHT_DATE)).first()
    return None if ends is None or ends[0] is None else (ends[0], ends[1])


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
