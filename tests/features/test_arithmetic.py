"""The arithmetic of features gives the same bits for an array and for a single flight."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import arithmetic
from features.catalog import FEATURES

NUMBERS = st.one_of(st.just(float("nan")), st.integers(-(10**8), 10**8).map(float))
INSTANTS = st.integers(0, 40_000_000).map(float)
FUNCTIONS = sorted(
    {(f.compute, len(f.inputs)) for f in FEATURES if f.dtype == "float64"},
    key=lambda pair: pair[0].__name__,
)


@pytest.mark.parametrize(("function", "arity"), FUNCTIONS)
@given(data=st.data())
def test_arrays_and_scalars_give_the_same_bits(
    function: object, arity: int, data: st.DataObject
) -> None:
    # Given the arguments of a few flights
    values = INSTANTS if function is arithmetic.days_from_holiday else NUMBERS
    rows = data.draw(st.lists(st.tuples(*[values] * arity), min_size=1, max_size=5))
    assert callable(function)
    with np.errstate(all="ignore"):
        # When they are computed as arrays, and one by one
        together = function(
            *(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
        )
        alone = [function(*row) for row in rows]
    # Then both are the same, bit for bit
    np.testing.assert_array_equal(np.asarray(together, dtype=np.float64), np.array(alone))


def minutes(date: dt.date, hour: int = 12) -> np.float64:
    days = date.toordinal() - arithmetic.EPOCH_ORDINAL
    return np.float64(days * 1440 + hour * 60)


@pytest.mark.parametrize(
    ("date", "days"),
    [
        ((2013, 11, 28), 0),  # Thanksgiving
        ((2013, 11, 27), -1),
        ((2013, 12, 1), 3),
        ((2013, 5, 27), 0),  # Memorial Day
        ((2013, 9, 2), 0),  # Labor Day
        ((2013, 1, 21), 0),  # Martin Luther King Day
        ((2014, 1, 1), 0),
        ((2013, 6, 19), 8),  # no holiday before 2021: Independence Day is 15 days off, limited
        ((2022, 6, 19), 0),
    ],
)
def test_days_from_holiday(date: tuple[int, int, int], days: int) -> None:
    # Given a date / When / Then it is that far from the nearest holiday, within 8 days
    found = arithmetic.days_from_holiday(minutes(dt.date(*date)), np.float64(0))
    assert abs(found) == 8 if date == (2013, 6, 19) else found == days


def test_weekday_and_minute_are_local() -> None:
    # Given Saturday 2013-06-01 03:30 UTC, which is Friday 23:30 in New York
    instant = minutes(dt.date(2013, 6, 1), 3) + 30
    # When / Then both are of the local clock
    assert arithmetic.weekday(instant, np.float64(-240)) == 5
    assert arithmetic.minute_of_day(instant, np.float64(-240)) == 23 * 60 + 30
    assert arithmetic.weekday(np.float64(0), np.float64(0)) == 4  # 1970-01-01 was a Thursday


def test_a_leg_that_has_not_left_is_overdue_for_at_most_twelve_hours() -> None:
    # Given a leg scheduled at minute 100 of which no departure is known
    late, missing = np.float64(100), np.float64("nan")
    # When / Then its delay grows with time, from 0 to 720
    delays = [float(arithmetic.delay_so_far(np.float64(t), late, missing)) for t in (50, 160, 9999)]
    assert delays == [0, 60, 720]
    assert arithmetic.delay_so_far(np.float64(160), late, np.float64(130)) == 30


FLOATS = st.one_of(NUMBERS, st.sampled_from([0.0, -0.0, float("inf"), float("-inf")]))
OPERATIONS = [arithmetic.divided, arithmetic.least, arithmetic.greatest]


@pytest.mark.parametrize("operation", OPERATIONS)
@given(pairs=st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=8))
def test_operations_give_the_same_bits_without_numpy(operation: Any, pairs: Any) -> None:
    # Given pairs of numbers, among them missing ones, zeros of both signs and infinities
    left, right = (np.array(column) for column in zip(*pairs, strict=True))
    # When an operation is applied to arrays, and to Python floats
    with np.errstate(all="ignore"):
        together = operation(left, right)
    alone = np.array([operation(*pair) for pair in pairs])
    # Then both are equal, also in the sign of zero
    np.testing.assert_array_equal(together, alone)
    if operation is arithmetic.divided:
        known = ~np.isnan(together)
        np.testing.assert_array_equal(np.signbit(together[known]), np.signbit(alone[known]))


def test_a_missing_value_takes_the_other_branch() -> None:
    # Given a missing and a present value / When / Then each takes its branch, as scalar or array
    nan = float("nan")
    assert arithmetic.otherwise(nan, 1.0, 2.0) == 1.0
    assert arithmetic.otherwise(3.0, 1.0, 2.0) == 2.0
    assert arithmetic.otherwise(np.array([nan, 3.0]), 1.0, 2.0).tolist() == [1.0, 2.0]  # type: ignore[union-attr]


def test_one_flight_needs_no_numpy() -> None:
    # Given a Python that has loaded nothing / When the online features are imported
    code = "import sys, features.online.lookup; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Then numpy is not
    assert done.stdout.strip() == "False"
