"""What has to be done to a silver table: nothing, its newest rows, or all of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from pipelines.marks import SilverMark


@dataclass(frozen=True)
class SilverPlan:
    """What has to be done to bring the silver table of a source up to date.

    Attributes:
        source: The source.
        until: When the newest of its bronze rows were taken in.
        made_by: Hash of the code, and of what else decides what becomes of a row.
        since: Only rows taken in after this are new to silver; None: all rows are looked at.
        why: The reason, in a few words.
    """

    source: str
    until: dt.datetime
    made_by: str
    since: dt.datetime | None
    why: str


def plan_of(
    source: str,
    before: SilverMark | None,
    *,
    until: dt.datetime,
    made_by: str,
    by_day: bool,
    forced: bool = False,
) -> SilverPlan | None:
    """Return what has to be done to a silver table; None if it is up to date.

    Args:
        source: The source.
        before: What the table was made of; None: there is none, or nobody knows.
        until: When the newest of its bronze rows were taken in.
        made_by: Hash of the code, and of what else decides what becomes of a row.
        by_day: Whether days of the table can be made alone.
        forced: Whether a person wants all of it to be made anew.
    """
    if forced:
        return SilverPlan(source, until, made_by, None, "it is forced")
    if before is None:
        return SilverPlan(source, until, made_by, None, "it is not made yet")
    if before.made_by != made_by:
        return SilverPlan(source, until, made_by, None, "its code or the time zones changed")
    if before.until == until:
        return None
    if before.until > until:
        return SilverPlan(source, until, made_by, None, "bronze was put back to an earlier state")
    since = before.until if by_day else None
    return SilverPlan(source, until, made_by, since, "files are new")
