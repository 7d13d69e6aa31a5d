"""The arithmetic of features: one definition for the whole table and for one flight.

Every function works element by element on float64 arrays and on single Python floats, and gives the
same bits for both: IEEE 754, with NaN for a missing value. Functions use `+ - *`, `//` and `%` by
constants, look-ups in tables, and the operations at the end of this module, which numpy and plain
Python spell differently. One flight needs no numpy and is several times faster without it.

A contract's `feature_hash` includes the module and the name of each function that a feature calls:
renaming or moving one changes the hash.
"""

from __future__ import annotations

import datetime as dt
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from features.declare.declarations import MINUTES_PER_DAY
from features.declare.streams import OVERDUE_FOR_MIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray


Values: TypeAlias = "NDArray[np.float64] | float"
EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY: Final = 4  # 1970-01-01 was a Thursday; Monday is 1
_HOLIDAY_REACH_DAYS: Final = 8
_JUNETEENTH_SINCE: Final = 2021


def same(value: Values) -> Values:
    """Return the input itself."""
    return value


def ratio(total: Values, count: Values) -> Values:
    """Return `total / count`; missing where the count is 0 (its total is 0 then)."""
    return divided(total, count)


def difference(left: Values, right: Values) -> Values:
    """Return `left - right`; missing where either is."""
    return left - right


def scheduled_margin(arrival: Values, departure: Values, total: Values, count: Values) -> Values:
    """Return the scheduled duration less the mean `total / count`; missing where count is 0."""
    return arrival - departure - divided(total, count)


def waited(count: Values, opened_total: Values, prediction_at: Values) -> Values:
    """Return the total duration of the open intervals at the prediction time, in minutes.

    Args:
        count: Open intervals.
        opened_total: Sum of the instants at which they started, in minutes since the epoch.
        prediction_at: Prediction time, in minutes since the epoch.
    """
    return count * prediction_at - opened_total


def minute_of_day(at: Values, offset: Values) -> Values:
    """Return the local minute of the day, 0 to 1439, of an instant with its UTC offset."""
    return (at + offset) % MINUTES_PER_DAY


def weekday(at: Values, offset: Values) -> Values:
    """Return the local ISO weekday, 1 (Monday) to 7, of an instant with its UTC offset."""
    days = (at + offset) // MINUTES_PER_DAY
    return (days + _EPOCH_WEEKDAY - 1) % 7 + 1


def days_from_holiday(at: Values, offset: Values) -> Values:
    """Return the signed days from the nearest US federal holiday, limited to -8 and 8.

    Source: 5 U.S.C. 6103, as dated there (not the substitute day of a weekend).
    """
    days = (at + offset) // MINUTES_PER_DAY
    return mapped(_days_from_holiday, days)


@lru_cache(maxsize=4096)
def _days_from_holiday(day: int) -> float:
    date = dt.date.fromordinal(day + EPOCH_ORDINAL)
    offsets = [
        (date - holiday).days
        for year in (date.year - 1, date.year, date.year + 1)
        for holiday in _federal_holidays(year)
    ]
    nearest = min(offsets, key=lambda offset: (abs(offset), offset))
    return float(max(-_HOLIDAY_REACH_DAYS, min(_HOLIDAY_REACH_DAYS, nearest)))


@lru_cache(maxsize=64)
def _federal_holidays(year: int) -> tuple[dt.date, ...]:
    fixed = [dt.date(year, month, day) for month, day in ((1, 1), (7, 4), (11, 11), (12, 25))]
    third_mondays = [_nth(year, 1, 0, 3), _nth(year, 2, 0, 3)]
    last_monday_of_may = _nth(year, 6, 0, 1) - dt.timedelta(days=7)
    others = [_nth(year, 9, 0, 1), _nth(year, 10, 0, 2), _nth(year, 11, 3, 4)]
    juneteenth = [dt.date(year, 6, 19)] if year >= _JUNETEENTH_SINCE else []
    return (*fixed, *third_mondays, last_monday_of_may, *others, *juneteenth)


def _nth(year: int, month: int, weekday_of: int, nth: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday_of - first.weekday()) % 7 + 7 * (nth - 1))


def minutes_since(at: Values, event: Values) -> Values:
    """Return the minutes from an event to the scheduled departure; missing without the event."""
    return at - event


def turnaround_slack(at: Values, leg_departure: Values, leg_arrival: Values) -> Values:
    """Return the minutes that the aircraft can lose after its last leg and still leave on time.

    The last leg left New York; the return flight is assumed to take the same time.
    """
    return at - leg_departure - 2 * (leg_arrival - leg_departure)


def delay_so_far(prediction_at: Values, scheduled: Values, departed: Values) -> Values:
    """Return the departure delay of a leg as far as it is known at the prediction time.

    The delay itself if the leg has left; otherwise the minutes by which it is overdue, from 0 if it
    is not due yet to 12 h; missing without a leg.
    """
    overdue = least(greatest(prediction_at - scheduled, 0.0), float(OVERDUE_FOR_MIN))
    return otherwise(departed, overdue, departed - scheduled) + 0.0 * scheduled


def has_left(scheduled: Values, departed: Values) -> Values:
    """Return 1 when the leg is known to have left, else 0; missing without a leg."""
    return otherwise(departed, 0.0, 1.0) + 0.0 * scheduled


def slack_after_leg(
    prediction_at: Values,
    at: Values,
    leg_departure: Values,
    leg_arrival: Values,
    departed: Values,
) -> Values:
    """Return the turn-around slack less the delay of the leg so far."""
    slack = turnaround_slack(at, leg_departure, leg_arrival)
    return slack - delay_so_far(prediction_at, leg_departure, departed)


def divided(left: Values, right: Values) -> Values:
    """Return `left / right`: NaN for 0 / 0, infinite for anything else by 0."""
    if not isinstance(right, float) or right:
        return left / right
    if isinstance(left, float):
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return _arrays().divide(left, right)  # type: ignore[no-any-return]


def least(left: Values, right: Values) -> Values:
    """Return the smaller of two; NaN where either is."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.nan
        return min(left, right)
    return _arrays().minimum(left, right)  # type: ignore[no-any-return]


def greatest(left: Values, right: Values) -> Values:
    """Return the greater of two; NaN where either is."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.nan
        return max(left, right)
    return _arrays().maximum(left, right)  # type: ignore[no-any-return]


def otherwise(values: Values, missing: Values, present: Values) -> Values:
    """Return `missing` where `values` are NaN, `present` elsewhere."""
    if isinstance(values, float):
        return missing if math.isnan(values) else present
    return _arrays().where(values != values, missing, present)  # type: ignore[no-any-return]  # noqa: PLR0124 - NaN is not itself


def mapped(table: Callable[[int], float], keys: Values) -> Values:
    """Return the values of a function of whole numbers, called once for each distinct key."""
    if isinstance(keys, float):
        return table(int(keys))
    numpy = _arrays()
    unique, inverse = numpy.unique(keys, return_inverse=True)
    found = numpy.array([table(int(key)) for key in unique], dtype=numpy.float64)
    return found[inverse]  # type: ignore[no-any-return]


def _arrays() -> ModuleType:
    import numpy as np  # noqa: PLC0415 - only arrays need it; one flight does without

    return np
