"""How fresh and how full a table is: pure functions over rows by day."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WEEKS: Final = 4
_LEAST_SHARE: Final = 0.25
_LEAST_SCORE: Final = 4.0
_MONTHS_FROM_DAYS: Final = 62
_TICKS: Final = "▁▂▃▄▅▆▇█"
_UNITS: Final = ((365 * 24, "year"), (24, "day"), (1, "hour"))


@dataclass(frozen=True)
class Unusual:
    """A day with far fewer or more rows than such days have around it.

    Attributes:
        day: The day.
        rows: How many rows it has.
        usual: The median of the same weekday in the four weeks before and after.
    """

    day: dt.date
    rows: int
    usual: float


@dataclass(frozen=True, kw_only=True)
class Volume:
    """The figures of one table.

    Attributes:
        table: Its name.
        rows: How many rows it has.
        days: Rows by day, every day from the first to the last; empty if it knows no days.
        newest_event: The last instant that a row is about.
        newest_ingest: When the last row came in.
    """

    table: str
    rows: int
    days: Mapping[dt.date, int]
    newest_event: dt.datetime | None = None
    newest_ingest: dt.datetime | None = None

    @property
    def unusual(self) -> list[Unusual]:
        """The days of unusual volume."""
        return unusual_days(self.days)

    def periods(self) -> tuple[str, list[int]]:
        """Return `day` or `month`, and the rows of each: months where there are many days."""
        if len(self.days) <= _MONTHS_FROM_DAYS:
            return "day", list(self.days.values())
        months: Counter[tuple[int, int]] = Counter()
        for day, rows in self.days.items():
            months[day.year, day.month] += rows
        return "month", [months[month] for month in sorted(months)]


def every_day(counts: Mapping[dt.date | None, int]) -> dict[dt.date, int]:
    """Return rows by day with the days between the first and the last that have none."""
    known = {day: rows for day, rows in counts.items() if day is not None}
    if not known:
        return {}
    first, last = min(known), max(known)
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return {day: known.get(day, 0) for day in days}


def unusual_days(days: Mapping[dt.date, int]) -> list[Unusual]:
    """Return the days whose rows differ much from those of the same weekday around them.

    Much is a quarter of the median of the four weeks before and after, and four standard deviations
    of a count of that size: a table of few rows a day is not unusual every day. A day without any
    row among days that have some is always unusual.
    """
    found = []
    for day, rows in days.items():
        around = [
            days[other]
            for weeks in range(-_WEEKS, _WEEKS + 1)
            if weeks and (other := day + dt.timedelta(weeks=weeks)) in days
        ]
        usual = median(around) if around else float(rows)
        far = abs(rows - usual)
        differs = far > _LEAST_SHARE * usual and far > _LEAST_SCORE * math.sqrt(usual)
        if differs or (rows == 0 and usual > 0):
            found.append(Unusual(day, rows, usual))
    return found


def sparkline(values: Sequence[int]) -> str:
    """Return values as a line of blocks, the greatest the tallest; none is a space."""
    most = max(values, default=0)
    return "".join(
        _TICKS[min(len(_TICKS) - 1, value * len(_TICKS) // most)] if value else " "
        for value in values
    )


def age_of(instant: dt.datetime | None, now: dt.datetime) -> str:
    """Return in words how long ago an instant is."""
    if instant is None:
        return "-"
    hours = int((now - instant).total_seconds() // 3600)
    if hours < 0:
        return "ahead"
    for size, unit in _UNITS:
        count = hours // size
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "under 1 hour"
