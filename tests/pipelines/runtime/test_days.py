from __future__ import annotations

import datetime as dt

import pytest

from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.runtime.days import DayRangeError, day_range


def test_both_ends_are_included_and_either_may_be_left_out() -> None:
    first, last = dt.date(2013, 3, 1), dt.date(2013, 3, 9)
    assert day_range("2013-03-01", "2013-03-09") == DayRange(first, last)
    assert day_range("2013-03-01", "") == DayRange(first, None)
    assert day_range("", "") == EVERY_DAY


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [("1 March", "", "'1 March' to ''"), ("2013-03-09", "2013-03-01", "swap the two")],
)
def test_an_invalid_range_is_refused(first: str, last: str, message: str) -> None:
    with pytest.raises(DayRangeError, match=message):
        day_range(first, last)
