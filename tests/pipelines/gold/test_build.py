"""Which days of a feature table have to be rebuilt, by the metadata of its last commit."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.gold.build import decide_days
from pipelines.tables.commit_metadata import (
    GoldCommit,
    SilverVersion,
)

NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
BEFORE = GoldCommit(SilverVersion(3, NOON), SilverVersion(2, None), "code")
NOW = msgspec.structs.replace(BEFORE, flights=SilverVersion(4, NOON))
DAY = dt.date(2013, 3, 1)
FLIGHTS = (DAY, DAY + dt.timedelta(days=30))


@pytest.mark.parametrize(
    ("before", "changed", "flights", "reason"),
    [
        (None, (), FLIGHTS, "no metadata"),
        (msgspec.structs.replace(BEFORE, fingerprint="other"), (), FLIGHTS, "code, declarations"),
        (BEFORE, (EVERY_DAY,), FLIGHTS, "all of silver"),
        (BEFORE, (), None, "all of silver"),
    ],
)
def test_every_day_is_rebuilt_unless_only_some_days_changed(
    before: GoldCommit | None,
    changed: tuple[DayRange, ...],
    flights: tuple[dt.date, dt.date] | None,
    reason: str,
) -> None:
    plan = decide_days(before, NOW, changed=changed, flights=flights)
    assert (plan.days, plan.commit) == ((EVERY_DAY,), NOW)
    assert reason in plan.reason


def test_only_days_affected_by_a_change_are_rebuilt() -> None:
    last = DayRange(FLIGHTS[1], FLIGHTS[1])
    plan = decide_days(BEFORE, NOW, changed=(last,), flights=FLIGHTS)
    assert plan.days == (DayRange(FLIGHTS[1] - dt.timedelta(days=2), FLIGHTS[1]),)
    assert plan.reason == "1 day of silver changed: 3 days of gold are rebuilt"
    assert decide_days(BEFORE, NOW, changed=(), flights=FLIGHTS).days == ()
