"""What has to be done to a silver table, by what it was made of."""

from __future__ import annotations

import datetime as dt

import pytest

from pipelines.silver.candidates import plan_of
from pipelines.tables.commit_metadata import SilverMark

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("before", "since", "why"),
    [
        (None, None, "not made yet"),
        (SilverMark(LATER, "other code"), None, "code or the time zones"),
        (SilverMark(LATER + dt.timedelta(hours=1), "code"), None, "earlier state"),
        (SilverMark(NOON, "code"), NOON, "files are new"),
    ],
)
def test_only_new_files_are_looked_at_if_nothing_else_changed(
    before: SilverMark | None, since: dt.datetime | None, why: str
) -> None:
    plan = plan_of("flights", before, until=LATER, made_by="code", by_day=True)
    assert plan is not None
    assert (plan.since, plan.until) == (since, LATER)
    assert why in plan.why


def test_a_table_that_is_up_to_date_needs_nothing() -> None:
    before = SilverMark(LATER, "code", ())
    assert plan_of("flights", before, until=LATER, made_by="code", by_day=True) is None


def test_a_person_can_have_all_of_it_made_anew() -> None:
    before = SilverMark(LATER, "code", ())
    plan = plan_of("flights", before, until=LATER, made_by="code", by_day=True, forced=True)
    assert plan is not None
    assert (plan.since, plan.why) == (None, "it is forced")


def test_a_small_table_is_made_anew_for_each_file() -> None:
    before = SilverMark(NOON, "code")
    plan = plan_of("planes", before, until=LATER, made_by="code", by_day=False)
    assert plan is not None
    assert plan.since is None
