"""The generated look-up functions: their results, and tracebacks that show their source."""

from __future__ import annotations

import math
import traceback

import pytest

from features.arithmetic import divided
from features.online.lookup_codegen import combine_of, reader_of
from features.online.lookup_plan import (
    LastValue,
    Step,
    Total,
    TrackPlan,
)


def test_features_are_computed_from_slots_and_the_flights_columns() -> None:
    # Given a feature of two slots, one that is a slot itself, and a category
    combine = combine_of(
        [Step("share", divided, (1, 0)), Step("count", None, (0,)), Step("carrier", None, ())]
    )
    # When they are combined / Then they are in order, and a missing category is none
    assert combine([4.0, 1.0], {"carrier": 9}) == [0.25, 4.0, "9"]
    values = combine([0.0, 0.0], {"carrier": None})
    assert math.isnan(float(str(values[0])))
    assert values[1:] == [0.0, None]


def test_a_traceback_shows_the_generated_line() -> None:
    # Given a feature that divides by a plain `/`
    combine = combine_of([Step("share", lambda left, right: left / right, (0, 1))])
    # When it divides by zero, Then the traceback has the line, which names the feature
    with pytest.raises(ZeroDivisionError) as raised:
        combine([1.0, 0.0], {})
    shown = "".join(traceback.format_exception(raised.value))
    assert "f0(s[0], s[1]),  # share" in shown


def test_a_track_is_read_according_to_its_plan() -> None:
    # Given three rows at the minutes 3, 5 and 8, with totals of a measure and its values
    words = memoryview(bytes(4 * 15)).cast("i").tolist()
    words[:4] = [0, 15, 3, 4]
    words[4:7] = [3, 5, 8]
    words[7:11] = [0, 10, 30, 60]
    words[11:14] = [1, 2, -(2**31)]
    item = memoryview(bytearray(4 * 15)).cast("i")
    for at, word in enumerate(words):
        item[at] = word
    track = TrackPlan(header=2, wide=0, identified=False, totals=1, span=100)
    track.windows = {0: {1: [Total(0, None, instant=False), Total(1, 0, instant=True)]}}
    track.latest = {(0, 1): [LastValue(2, 0, is_float=False, known=None)]}
    track.freshness_of = "flights"
    read = reader_of("all", [track])
    # When a window from minute 4 to 8 is read, of stretch 2, and its latest value
    slots, newest = [0.0, 0.0, math.nan], dict[str, int | None]()
    read({2: item}, [(8, 2), (4, 2)], 8, slots, newest)
    # Then the row of minute 5 counts, its instant from the beginning of its stretch
    assert slots == [1.0, 20.0 + 200, 2.0]
    assert newest == {"flights": 5}
    # And a value that was not measured leaves its slot as it was
    slots = [0.0, 0.0, math.nan]
    read({2: item}, [(9, 2), (4, 2)], 9, slots, newest)
    assert slots[0] == 2.0
    assert math.isnan(slots[2])
    assert newest == {"flights": 8}
