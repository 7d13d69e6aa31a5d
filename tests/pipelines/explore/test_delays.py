from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from features.declare import columns as c
from pipelines.explore import delays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
SCHEMA = (
    f"{c.ORIGIN} string, {c.DESTINATION} string, {c.SCHEDULED_DEPARTURE} timestamp, "
    f"{c.ORIGIN_OFFSET} int, {c.ARRIVAL_DELAY} int"
)


def at(month: int, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(2013, month, 1, hour, minute, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def flights(spark: SparkSession) -> DataFrame:
    early, late = at(1, 4, 30), at(2, 23, 5)
    rows: list[tuple[Any, ...]] = [
        ("JFK", "LAX", early, -300, 15),
        ("JFK", "LAX", late, -300, 14),
        ("EWR", "SEA", late, -300, 90),
        ("EWR", "SEA", late, -300, None),
        ("EWR", "XXX", late, -300, 0),
    ]
    return spark.createDataFrame(rows, SCHEMA)


def found(frame: DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.collect()]


def test_late_is_15_minutes_and_what_never_arrived_counts_in_neither(flights: DataFrame) -> None:
    # When / Then
    by_origin = delays.late_share_by(flights, F.col(c.ORIGIN))
    assert found(by_origin) == [("EWR", 0.5, 2), ("JFK", 0.5, 2)]


def test_the_hour_is_local_and_may_be_of_the_day_before(flights: DataFrame) -> None:
    # When / Then: 04:30 UTC is 23:30 in New York
    hours = flights.select(delays.local_hour()).distinct().collect()
    assert sorted(row[0] for row in hours) == [18, 23]


def test_weather_is_that_of_the_hour_at_the_origin(spark: SparkSession, flights: DataFrame) -> None:
    # Given
    schema = (
        f"{c.AIRPORT} string, {c.OBSERVED} timestamp, {c.WIND_SPEED} double, "
        f"{c.VISIBILITY} double, {c.PRECIPITATION} double"
    )
    hour = at(2, 23, 0)
    weather = spark.createDataFrame([("EWR", hour, 12.0, 3.5, 0.0)], schema)
    # When
    joined = delays.with_weather(flights, weather)
    # Then
    assert joined.count() == flights.count()
    winds = {(row[c.ORIGIN], row[c.WIND_SPEED]) for row in joined.collect()}
    assert winds == {("EWR", 12.0), ("JFK", None)}


def test_bands_have_a_lower_end_and_the_last_is_open(spark: SparkSession) -> None:
    # Given
    values = spark.createDataFrame([(0.0,), (4.9,), (5.0,), (99.0,), (None,)], "wind double")
    # When / Then
    ends = [row[0] for row in values.select(delays.bands("wind", width=5, most=35)).collect()]
    assert ends == [0, 0, 5, 35, None]


def test_a_destination_without_a_place_is_left_out_of_the_map(
    spark: SparkSession, flights: DataFrame
) -> None:
    # Given
    schema = f"{c.AIRPORT} string, latitude double, longitude double"
    airports = spark.createDataFrame([("LAX", 33.9, -118.4), ("SEA", 47.4, -122.3)], schema)
    # When / Then
    assert {row[0] for row in delays.routes(flights, airports).collect()} == {"LAX", "SEA"}


def test_missing_values_are_a_share_by_month(flights: DataFrame) -> None:
    # When
    shares = delays.missing_by_month(flights, c.SCHEDULED_DEPARTURE, {c.ARRIVAL_DELAY: "arrival"})
    # Then
    assert found(shares) == [(dt.date(2013, 1, 1), 0.0), (dt.date(2013, 2, 1), 0.25)]
