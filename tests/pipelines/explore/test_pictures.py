from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pipelines.explore import pictures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
PNG = b"\x89PNG"


def test_every_picture_is_a_png_that_a_notebook_shows(spark: SparkSession) -> None:
    # Given
    named = spark.createDataFrame(
        [("a", "b", 3, 0.5), ("c", "d", 1, 0.25)], "x string, y string, n int, s double"
    )
    months = spark.createDataFrame([(1, 10.0), (2, 20.0)], "month int, flights double")
    shares = spark.createDataFrame(
        [(5.0, 0.1, 100), (10.0, 0.3, 50), (None, 0.2, 1)],
        "group double, late_share double, arrivals long",
    )
    places = spark.createDataFrame(
        [("LAX", 0.2, 100, 33.9, -118.4), ("SEA", 0.3, 50, 47.4, -122.3)],
        "group string, late_share double, arrivals long, latitude double, longitude double",
    )
    missing = spark.createDataFrame(
        [(dt.date(2013, 1, 1), 0.0, 0.1)], "month date, a double, b double"
    )
    # When
    drawn = [
        pictures.bars(named, ["x", "y"], "n", title="bars"),
        pictures.bars(named, "x", "s", title="shares", percent=True),
        pictures.columns(named, "x", "s", title="columns", percent=True),
        pictures.number(months, months, "flights", title="number"),
        pictures.late_line(shares, title="line", axis="wind"),
        pictures.route_map(places, title="map"),
        pictures.missing_map(missing, title="missing"),
    ]
    # Then
    assert all(picture._repr_png_().startswith(PNG) for picture in drawn)


def test_the_same_rows_give_the_same_picture(spark: SparkSession) -> None:
    # Given
    rows = spark.createDataFrame([("a", 3), ("b", 1)], "x string, n int")
    # When / Then
    first, second = (pictures.bars(rows, "x", "n", title="bars").png for _ in range(2))
    assert first == second
