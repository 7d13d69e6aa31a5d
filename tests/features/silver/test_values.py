from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from features.silver import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, SparkSession

pytestmark = pytest.mark.spark

ONE_SESSION = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def applied(
    spark: SparkSession, function: Callable[[Column], Column], texts: list[str | None]
) -> list[object]:
    frame = spark.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    return [row.value for row in frame.select(function(F.col("text")).alias("value")).collect()]


def test_every_sign_of_a_missing_value_is_null(spark: SparkSession) -> None:
    assert applied(spark, values.text, ["NA", "", "  ", "NaN", "null", None, " N1 ", "NAN"]) == [
        None, None, None, None, None, None, "N1", "NAN",
    ]  # fmt: skip


def test_a_whole_number_may_be_written_with_a_decimal_point_and_nothing_else(
    spark: SparkSession,
) -> None:
    texts = ["517", "517.0", "-3", "0517", "5.5", "abc", "3000000000", "NaN", "Infinity", None]
    assert applied(spark, values.whole, texts) == [
        517, 517, -3, 517, None, None, None, None, None, None,
    ]  # fmt: skip


def test_a_number_is_finite(spark: SparkSession) -> None:
    texts = ["39.02", "-1e3", "7", "Infinity", "NaN", "1,5", None]
    assert applied(spark, values.number, texts) == [39.02, -1000.0, 7.0, None, None, None, None]


def test_an_instant_has_a_zone_or_is_utc(spark: SparkSession) -> None:
    texts = [
        "2013-01-01T10:00:00Z",
        "2013-01-01 10:00:00",
        "2013-01-01T05:00:00-05:00",
        "2013-01-01 10:00:00+00:00",
        "2013-13-01T10:00:00Z",
        "ten",
    ]
    ten = dt.datetime(2013, 1, 1, 10, tzinfo=dt.UTC)
    frame = spark.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    seconds = F.unix_seconds(values.instant(F.col("text"))).alias("seconds")
    assert [row.seconds for row in frame.select(seconds).collect()] == [
        *[int(ten.timestamp())] * 4, None, None,
    ]  # fmt: skip


@ONE_SESSION
@given(readings=st.lists(st.integers(-100, 3000), min_size=300, max_size=300))
def test_a_clock_is_minutes_since_midnight_or_impossible(
    spark: SparkSession, readings: list[int]
) -> None:
    def expected(reading: int) -> int | None:
        hours, minutes = divmod(reading, 100)
        possible = 0 <= reading <= 2400 and minutes < 60
        return (hours * 60 + minutes) % 1440 if possible else None

    always = [2400, 2401, 2460, 0, 2359, 1, 60]
    texts = [str(reading) for reading in [*always, *readings]]
    assert applied(spark, values.clock, [*texts]) == [expected(int(text)) for text in texts]


ZONES = ["America/New_York", "America/Puerto_Rico", "America/Phoenix", "Pacific/Honolulu"]
CHANGES = [dt.datetime(2013, 3, 10, 7, tzinfo=dt.UTC), dt.datetime(2013, 11, 3, 6, tzinfo=dt.UTC)]


def first_after(at: dt.datetime, clock: int, zone: str) -> dt.datetime | None:
    """Return the first minute after `at` at which the zone's clock shows `clock`, by looking."""
    for minute in range(1, 2 * 1440):
        local = (at + dt.timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
        if local.hour * 60 + local.minute == clock:
            return at + dt.timedelta(minutes=minute)
    return None


@ONE_SESSION
@given(
    trips=st.lists(
        st.tuples(
            st.sampled_from(CHANGES),
            st.integers(-2000, 2000),
            st.integers(0, 1439),
            st.sampled_from(ZONES),
        ),
        min_size=60,
        max_size=60,
    )
)
def test_the_first_instant_after_is_what_a_minute_by_minute_search_finds(
    spark: SparkSession, trips: list[tuple[dt.datetime, int, int, str]]
) -> None:
    cases = [(change + dt.timedelta(minutes=m), clock, zone) for change, m, clock, zone in trips]
    frame = spark.createDataFrame(cases, "at timestamp, clock int, zone string").coalesce(1)
    found = values.first_instant_after(F.col("at"), F.col("clock"), F.col("zone"))
    seconds = [row[0] for row in frame.select(F.unix_seconds(found)).collect()]
    for (at, clock, zone), second in zip(cases, seconds, strict=True):
        expected = first_after(at, clock, zone)
        skipped = zone == "America/New_York" and 120 <= clock < 180 and at.month == 3
        assert expected is not None
        assert second == expected.timestamp() or skipped, (at, clock, zone)


def test_a_clock_time_that_is_skipped_is_read_on_the_old_clock(spark: SparkSession) -> None:
    # Given 2:30 in New York on the night on which 2:00 becomes 3:00
    at = dt.datetime(2013, 3, 10, 5, tzinfo=dt.UTC)
    frame = spark.createDataFrame([(at, 150, "America/New_York")], "at timestamp, c int, z string")
    # When it is searched from midnight on
    found = frame.select(
        F.unix_seconds(values.first_instant_after(F.col("at"), F.col("c"), F.col("z")))
    ).collect()
    # Then it is two and a half hours after midnight
    assert found[0][0] == at.timestamp() + 150 * 60
