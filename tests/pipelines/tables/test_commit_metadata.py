"""Commit metadata is read back from a commit's description, also as the version before wrote it."""

from __future__ import annotations

import datetime as dt

from features.offline.blocks import EVERY_DAY, DayRange
from pipelines.tables.commit_metadata import (
    BronzeCommit,
    GoldCommit,
    SilverCommit,
    SilverVersion,
    days_of_ranges,
    from_description,
    ranges_of_days,
    to_description,
)

NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
DAYS = ((dt.date(2013, 3, 1), dt.date(2013, 3, 31)),)
GOLD = GoldCommit(SilverVersion(4, NOON), SilverVersion(2, None), "code", DAYS)


def test_metadata_is_read_only_from_its_own_description() -> None:
    # Given the metadata of a commit / When it is written and read / Then it is the same
    assert from_description(GoldCommit, to_description(GOLD)) == GOLD
    # And it is none of another layer, and a text is none at all
    assert from_description(BronzeCommit, to_description(GOLD)) is None
    assert from_description(GoldCommit, "build_features: every day") is None


STORED_BRONZE = (
    '{"type":"ingest","until":"2026-01-01T12:00:00.123456Z","files":["a.csv"],"not_ours":7}'
)
STORED_SILVER = (
    '{"type":"silver","until":"2026-01-01T12:00:00.123456Z","made_by":"code",'
    '"days":[["2013-03-01","2013-03-31"]]}'
)
STORED_GOLD = (
    '{"type":"gold","flights":{"version":4,"until":"2026-01-01T12:00:00.123456Z"},'
    '"weather":{"version":2,"until":null},"made_by":"code",'
    '"days":[["2013-03-01","2013-03-31"]]}'
)


def test_the_stored_form_stays_as_it_is() -> None:
    # Given descriptions in the logs of tables that exist already / When they are read
    bronze = from_description(BronzeCommit, STORED_BRONZE)
    silver = from_description(SilverCommit, STORED_SILVER)
    gold = from_description(GoldCommit, STORED_GOLD)
    # Then they are what was written
    assert bronze == BronzeCommit(NOON, ("a.csv",), 7)
    assert silver == SilverCommit(NOON, "code", DAYS)
    assert gold == GOLD
    # And the same is written today, so that the version before reads it as well
    assert [to_description(each) for each in (bronze, silver, gold)] == [
        STORED_BRONZE,
        STORED_SILVER,
        STORED_GOLD,
    ]


def test_ranges_are_days_only_if_both_ends_are_known() -> None:
    ranges = (DayRange(*DAYS[0]),)
    assert days_of_ranges(ranges) == DAYS
    assert ranges_of_days(DAYS) == ranges
    assert days_of_ranges((*ranges, EVERY_DAY)) is None
    assert days_of_ranges(()) == ()
