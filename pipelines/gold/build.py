"""Builds a feature table: plans which days are recomputed and why, and computes them.

A plan compares the metadata of the table's last commit with silver, code and settings as they are
now. Carrying it out writes the days, validates them, and updates the cached content hash.
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
    GoldCommit,
    SilverCommit,
    SilverVersion,
    days_of_ranges,
    from_description,
    ranges_of_days,
)
from pipelines.tables.content_hash_cache import ContentHashCache
from pipelines.tables.day_ranges import affected_by, count_days, merged, sql_of
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.tables.content_hash import ContentHash
    from pipelines.tables.delta_tables import Tables


_UNKNOWN = SilverVersion(-1, None)


@dataclass(frozen=True)
class GoldPlan:
    """The plan of a feature table: the days to recompute.

    Attributes:
        days: The days to compute, as ranges; none: the table is up to date.
        commit: The metadata of the table's commit when that is done.
        reason: Why, in a short clause.
    """

    days: tuple[DayRange, ...]
    commit: GoldCommit
    reason: str


def plan_gold(context: RunContext, name: str, asked_for: DayRange = EVERY_DAY) -> GoldPlan:
    """Return what is to be done to a feature table.

    Args:
        context: Tables, settings, and whether everything is to be rebuilt.
        name: The feature table.
        asked_for: Days that the caller wants computed, and no others; every day: those that
            changed.
    """
    tables = context.tables
    versions = (silver_version(tables, FLIGHTS), silver_version(tables, WEATHER))
    now = GoldCommit(*versions, gold_fingerprint(context))
    try:
        description = tables.description(name)
    except TableMissingError:
        return GoldPlan((EVERY_DAY,), now, "it does not exist yet")
    before = from_description(GoldCommit, description)
    if asked_for != EVERY_DAY:
        unknown = GoldCommit(_UNKNOWN, _UNKNOWN, "")
        return GoldPlan((asked_for,), before or unknown, "asked for")
    if "build_features" in context.forced:
        return GoldPlan((EVERY_DAY,), now, "forced")
    if before is None or before.fingerprint != now.fingerprint:
        return decide_days(before, now, changed=(), flights=None)
    pairs = ((FLIGHTS, before.flights), (WEATHER, before.weather))
    changed = [changed_days(tables, table, version) for table, version in pairs]
    return decide_days(
        before, now, changed=merged([*changed[0], *changed[1]]), flights=_flight_days(tables)
    )


def build_gold(context: RunContext, name: str, plan: GoldPlan) -> tuple[ContentHash, int]:
    """Carry out a plan, validate what is new, and return the content hash and the rows written.

    Days that the plan does not write were validated when they were written: the cost must not grow
    with history. A cached content hash confirms it: it is written last, and is missing if a run was
    killed or its rows did not pass.

    Raises:
        DataQualityError: Rows do not meet the expectations.
    """
    tables, home = context.tables, context.settings.home
    hashes = ContentHashCache(tables, home)
    before = hashes.current(name)
    if not plan.days and before is not None:
        return before[1], 0
    if plan.days:
        commit = msgspec.structs.replace(plan.commit, days=days_of_ranges(plan.days))
        write_features(context, name, days=plan.days, commit=commit)
    where = "true" if before is None else sql_of(plan.days, FLIGHT_DATE)
    report = validate_gold(tables.read(name).where(where), table=name, home=home)
    content = hashes.update(name, where=where, before=before)
    return content, report.rows if plan.days else 0


def decide_days(
    before: GoldCommit | None,
    now: GoldCommit,
    *,
    changed: Sequence[DayRange],
    flights: tuple[dt.date, dt.date] | None,
) -> GoldPlan:
    """Return which days of a feature table have to be computed again. Pure.

    Args:
        before: The metadata of its last commit; None: unknown.
        now: What its metadata would be now.
        changed: Days on which silver changed since.
        flights: The first and the last day of silver flights; None: there are none.
    """
    if before is None:
        return GoldPlan((EVERY_DAY,), now, "its last commit has no metadata")
    if before.fingerprint != now.fingerprint:
        return GoldPlan((EVERY_DAY,), now, "code, declarations or settings changed")
    if EVERY_DAY in changed or flights is None:
        return GoldPlan((EVERY_DAY,), now, "all of silver was rebuilt")
    days = affected_by(changed, flights)
    counted, gold = count_days(changed), count_days(days)
    reason = (
        f"{counted:,} day{'' if counted == 1 else 's'} of silver changed: "
        f"{gold:,} day{' of gold is' if gold == 1 else 's of gold are'} rebuilt"
    )
    return GoldPlan(days, now, reason)


def changed_days(tables: Tables, table: str, since: SilverVersion) -> tuple[DayRange, ...]:
    """Return the days on which a silver table changed since a version of it.

    Every day, if a commit rewrote all of it, or if its history does not reach that far back.
    """
    commits = tables.commits_since(table, since.version)
    metadata = [from_description(SilverCommit, commit.description) for commit in commits]
    if not metadata or metadata[-1] is None or metadata[-1].until != since.until:
        return (EVERY_DAY,)
    days: list[DayRange] = []
    for each in metadata[:-1]:
        if each is None or each.days is None:
            return (EVERY_DAY,)
        days.extend(ranges_of_days(each.days))
    return merged(days)


def silver_version(tables: Tables, table: str) -> SilverVersion:
    """Return the version of a silver table that holds now."""
    commit = tables.last_change(table)
    metadata = from_description(SilverCommit, commit.description)
    return SilverVersion(commit.version, None if metadata is None else metadata.until)


def gold_fingerprint(context: RunContext) -> str:
    """Return the hash of all that decides the feature table, except silver."""
    stage = replace(stage_named("build_features"), reads=())
    parts = parts_of(stage, context)
    del parts["features.as_of_ingest"]  # it decides which silver is read, not what is computed
    return fingerprint(parts)[:16]


def _flight_days(tables: Tables) -> tuple[dt.date, dt.date] | None:
    ends = tables.read(FLIGHTS).agg(F.min(FLIGHT_DATE), F.max(FLIGHT_DATE)).first()
    return None if ends is None or ends[0] is None else (ends[0], ends[1])
