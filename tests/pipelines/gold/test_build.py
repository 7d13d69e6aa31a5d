"""Which days of a feature table have to be made again, by what it was made of."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.gold.build import decide_days, with_days
from pipelines.tables.commit_metadata import BronzeMark, GoldMark, SilverState, mark_of, text_of

NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
BEFORE = GoldMark(SilverState(3, NOON), SilverState(2, None), "code")
NOW = msgspec.structs.replace(BEFORE, flights=SilverState(4, NOON))
DAY = dt.date(2013, 3, 1)
FLIGHTS = (DAY, DAY + dt.timedelta(days=30))


@pytest.mark.parametrize(
    ("before", "changed", "flights", "why"),
    [
        (None, (), FLIGHTS, "nobody knows"),
        (msgspec.structs.replace(BEFORE, made_by="other"), (), FLIGHTS, "code, declarations"),
        (BEFORE, (EVERY_DAY,), FLIGHTS, "all of silver"),
        (BEFORE, (), None, "all of silver"),
    ],
)
def test_everything_is_made_again_if_not_only_some_days_changed(
    before: GoldMark | None,
    changed: tuple[DayRange, ...],
    flights: tuple[dt.date, dt.date] | None,
    why: str,
) -> None:
    plan = decide_days(before, NOW, changed=changed, flights=flights)
    assert (plan.days, plan.mark) == ((EVERY_DAY,), NOW)
    assert why in plan.why


def test_only_days_in_reach_of_what_changed_are_made_again() -> None:
    last = DayRange(FLIGHTS[1], FLIGHTS[1])
    plan = decide_days(BEFORE, NOW, changed=(last,), flights=FLIGHTS)
    assert plan.days == (DayRange(FLIGHTS[1] - dt.timedelta(days=2), FLIGHTS[1]),)
    assert plan.why == "1 day of silver changed: 3 days of gold are rebuilt"
    assert decide_days(BEFORE, NOW, changed=(), flights=FLIGHTS).days == ()


def test_a_mark_comes_back_from_the_description_of_its_commit() -> None:
    mark = with_days(NOW, (DayRange(*FLIGHTS),))
    assert mark.days == (FLIGHTS,)
    assert mark_of(GoldMark, text_of(mark)) == mark
    assert mark_of(BronzeMark, text_of(mark)) is None
    assert mark_of(GoldMark, "build_features: every day") is None
    assert with_days(mark, (EVERY_DAY,)).days is None
