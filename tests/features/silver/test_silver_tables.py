from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import to_quarantine, to_silver
from tests.features.raw_rows import (
    WEATHER_LINE,
    raw_flights,
    raw_frame,
    received,
    refusals,
    silver_candidates,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_weather_is_known_when_its_hour_is_over(spark: SparkSession) -> None:
    bronze = raw_frame(spark, "weather", received("weather", WEATHER_LINE))
    instants = [F.date_format(name, "HH:mm").alias(name) for name in ("observed_at", "known_at")]
    rows = to_silver(silver_candidates(spark, "weather", bronze))
    found = rows.select("airport", *instants, "temperature_f", "wind_gust_mph", "pressure_hpa")
    expected = spark.createDataFrame([("EWR", "06:00", "07:00", 39.02, None, 1012.0)], found.schema)
    assert_df_equality(found, expected)


def test_weather_that_cannot_be_is_refused(spark: SparkSession) -> None:
    row = received("weather", WEATHER_LINE)
    changes: list[dict[str, Any]] = [
        {"wind_speed": "1048.36058"},
        {"humid": "-1"},
        {"origin": "QQQ"},
        {"hour": "2"},
        {"temp": "mild"},
    ]
    bronze = raw_frame(spark, "weather", *(row | change for change in changes))
    rules = [found and found[0] for found in refusals(silver_candidates(spark, "weather", bronze))]
    assert rules == [
        "impossible_value", "impossible_value", "unknown_airport", "contradiction", "wrong_type",
    ]  # fmt: skip


def test_both_hours_of_the_night_on_which_clocks_go_back_are_valid(spark: SparkSession) -> None:
    # Given hour 1 of the night on which summer time ends, which occurs twice
    row = received("weather", WEATHER_LINE) | {"month": "11", "day": "3"}
    hours = ({"time_hour": f"2013-11-03T0{hour}:00:00Z"} for hour in (5, 6))
    # When silver is built from it / Then both are hours of their own
    bronze = raw_frame(spark, "weather", *(row | hour for hour in hours))
    assert refusals(silver_candidates(spark, "weather", bronze)) == [None, None]


def test_reference_tables_refuse_rows_without_a_name_or_valid_location(spark: SparkSession) -> None:
    airport = dict(
        zip(
            RAW_COLUMNS["airports"], ["JFK", "JFK", "40", "-73", "13", "-5", "A", "NA"], strict=True
        )
    )
    bronze = raw_frame(
        spark,
        "airports",
        airport,
        airport | {"faa": "LAX", "tzone": "America/Los_Angeles"},
        airport | {"faa": "NA"},
        airport | {"faa": "AAA", "lat": "140"},
        airport | {"faa": "BBB", "tzone": "Mars/Olympus"},
    )
    assert refusals(silver_candidates(spark, "airports", bronze)) == [
        None,
        None,
        ("missing_value", "faa is missing."),
        ("impossible_value", "lat is 140, outside -90 to 90."),
        (
            "unknown_time_zone",
            "tzone is 'Mars/Olympus', which is not the IANA name of a time zone.",
        ),
    ]


def test_every_row_is_in_exactly_one_of_silver_and_quarantine(spark: SparkSession) -> None:
    # Given a good row, a bad one, one that is present twice and a line that is no row
    bronze = raw_flights(
        spark, {}, {"dest": "QQQ"}, {}, {"flight": "2"}, {"unreadable": "a,b", "carrier": None}
    )
    rows = silver_candidates(spark, "flights", bronze)
    # When they are split
    silver = {row.source_row for row in to_silver(rows).collect()}
    quarantine = to_quarantine(rows, bronze, "flights").orderBy("source_row").collect()
    # Then each is in one of the two, as it was received
    assert silver == {1, 4}
    assert [(row.source, row.source_row, row.rule) for row in quarantine] == [
        ("flights", 2, "unknown_airport"),
        ("flights", 3, "duplicate_key"),
        ("flights", 5, "unreadable"),
    ]
    assert json.loads(quarantine[0].row)["dest"] == "QQQ"
    assert list(json.loads(quarantine[0].row)) == list(RAW_COLUMNS["flights"])
    assert quarantine[2].row == "a,b"
