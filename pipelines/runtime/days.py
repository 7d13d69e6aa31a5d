"""A range of flight dates, parsed from the command line."""

from __future__ import annotations

import datetime as dt

from features.offline.blocks import DayRange
from ontime_base.errors import OntimeError


class DayRangeError(OntimeError):
    """A range of days cannot be read, or has no days."""


def day_range(first: str, last: str) -> DayRange:
    """Return the days from the first to the last, both included.

    Args:
        first: YYYY-MM-DD; empty is from the beginning.
        last: YYYY-MM-DD; empty is to the end.

    Raises:
        DayRangeError: The range cannot be read, or ends before it begins.
    """
    try:
        days = DayRange(*(dt.date.fromisoformat(day) if day else None for day in (first, last)))
    except ValueError as error:
        raise DayRangeError(
            f"A day of '{first}' to '{last}' is not YYYY-MM-DD: {error}."
        ) from error
    if days.first and days.last and days.first > days.last:
        raise DayRangeError(f"The range from {first} to {last} has no days: swap the two.")
    return days
