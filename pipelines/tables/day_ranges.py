"""Ranges of days: the days of a table that a change affects, as few ranges as possible. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from features.offline.blocks import EVERY_DAY, LOOK_AHEAD_DAYS, LOOK_BACK_DAYS, DayRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DAY: Final = dt.timedelta(days=1)


def ranges_of(days: Iterable[dt.date]) -> tuple[DayRange, ...]:
    """Return days as ranges, in order, which neither overlap nor meet."""
    return merged(DayRange(day, day) for day in days)


def merged(ranges: Iterable[DayRange]) -> tuple[DayRange, ...]:
    """Return the days that are in any of the ranges, as ranges in order that do not meet."""
    joined: list[DayRange] = []
    for one in sorted(ranges, key=_first):
        if joined and _first(one) <= _after(joined[-1]):
            last = (
                None if None in (one.last, joined[-1].last) else max(_last(one), _last(joined[-1]))
            )
            joined[-1] = DayRange(joined[-1].first, last)
        else:
            joined.append(one)
    return tuple(joined)


def months_of(days: Iterable[dt.date]) -> tuple[DayRange, ...]:
    """Return the whole calendar months that days are in, as ranges."""
    firsts = {day.replace(day=1) for day in days}
    return merged(DayRange(first, _end_of_month(first)) for first in firsts)


def count_days(ranges: Sequence[DayRange]) -> int:
    """Return how many days there are in ranges that have ends and do not overlap."""
    return sum((_last(one) - _first(one)).days + 1 for one in ranges)


def sql_of(ranges: Sequence[DayRange], column: str, *, is_instant: bool = False) -> str:
    """Return the condition that a column's day, in UTC if it is an instant, is in the ranges."""
    if EVERY_DAY in ranges:
        return "true"
    if not is_instant:
        return " OR ".join(f"({one.sql(column)})" for one in ranges) or "false"
    return " OR ".join(f"({_instants_sql(one, column)})" for one in ranges) or "false"


def affected_by(
    changed: Sequence[DayRange], flights: tuple[dt.date, dt.date]
) -> tuple[DayRange, ...]:
    """Return the days of the feature table that change with some days of silver.

    A flight's features look back a bounded time, and a little ahead at the schedule. So a changed
    day affects days as far in the other direction, within the days of flights and changes.

    Args:
        changed: Days of silver rows that were added, removed or changed.
        flights: The first and the last day of silver flights.
    """
    reached = []
    for one in changed:
        if one == EVERY_DAY:
            return (EVERY_DAY,)
        far = one.widened(LOOK_AHEAD_DAYS + 1, LOOK_BACK_DAYS + 1)  # a local day is not a UTC day
        first = max(_first(far), min(flights[0], _first(one)))
        last = min(_last(far), max(flights[1], _last(one)))
        reached.append(DayRange(first, last))
    return merged(reached)


def _instants_sql(days: DayRange, column: str) -> str:
    ends = (
        (">=", days.first),
        ("<", None if days.last is None else days.last + _DAY),
    )
    bounds = [f"{column} {sign} TIMESTAMP'{day} 00:00:00Z'" for sign, day in ends if day]
    return " AND ".join(bounds) or "true"


def _first(one: DayRange) -> dt.date:
    return one.first or dt.date.min


def _last(one: DayRange) -> dt.date:
    return one.last or dt.date.max


def _after(one: DayRange) -> dt.date:
    return dt.date.max if one.last in (None, dt.date.max) else _last(one) + _DAY


def _end_of_month(first: dt.date) -> dt.date:
    return (first + 31 * _DAY).replace(day=1) - _DAY
