"""Deduplication of silver candidates: which row of a key wins, and why the others are refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from features.silver.silver_tables import to_quarantine, to_silver
from tests.features.raw_rows import INGESTED_AT, raw_flights, refusals, silver_candidates

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_of_duplicate_keys_the_newest_file_wins_and_in_a_file_its_first_row(
    spark: SparkSession,
) -> None:
    later = INGESTED_AT + dt.timedelta(days=1)
    # Given a flight in an old file, twice in a later one, corrected in the newest, and another one
    oldest = {"source_file": "zz.csv", "ingested_at": INGESTED_AT - dt.timedelta(days=1)}
    old = {"source_file": "z.csv"}
    new = {"source_file": "b.csv", "ingested_at": later, "tailnum": "N2"}
    bronze = raw_flights(
        spark,
        {**new, "source_row": 7, "dep_delay": "3"},  # contradicts itself: it does not count
        {**new, "source_row": 8},
        {**new, "source_row": 9},
        {**old, "source_row": 1},
        {**old, "source_row": 2},
        {**old, "source_row": 3, "flight": "9"},
        {**oldest, "source_row": 5},
    )
    # When silver is built from them
    rows = silver_candidates(spark, "flights", bronze)
    # Then the first valid row of the newest file is not refused, and the others have a reason
    contradiction = "dep_time is 0517, but sched_dep_time and dep_delay make 0518."
    superseded = "The newer file b.csv has this flight too, in row 8."
    before = "The newer file z.csv has this flight too, in row 1."
    assert refusals(rows) == [
        ("contradiction", contradiction),
        None,
        ("duplicate_key", "Row 8 of the same file is this flight too, and came first."),
        ("superseded", superseded),
        ("duplicate_key", "Row 1 of the same file is this flight too, and came first."),
        None,
        ("superseded", before),
    ]
    # And each is refused since what it is refused for came in
    refused = to_quarantine(rows, bronze, "flights").orderBy("source_file", "source_row").collect()
    assert [row.refused_at for row in refused] == [
        at.replace(tzinfo=None) for at in (later, later, later, INGESTED_AT, INGESTED_AT)
    ]
    remaining = {(row.flight_number, row.tail_number) for row in to_silver(rows).collect()}
    assert remaining == {(1545, "N2"), (9, "N14228")}
