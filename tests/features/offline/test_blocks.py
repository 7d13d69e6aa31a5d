"""Blocks of days: any cut of the days gives the table that one whole block gives."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from features.declare import columns as c
from features.offline.blocks import DayRange, gold_schema, to_features
from features.offline.feature_table import features_table
from tests.features.factories import flights_table, random_days, weather_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
HORIZON = 120


@pytest.fixture(scope="module")
def silver(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    flights, weather = random_days()
    frames = (
        spark.createDataFrame(flights_table(flights)),
        spark.createDataFrame(weather_table(weather)),
    )
    return frames[0].cache(), frames[1].cache()


def rows_of(frame: DataFrame) -> list[dict[str, Any]]:
    return sorted(frame.toArrow().to_pylist(), key=lambda row: str(row[c.FLIGHT_ID]))


def whole() -> list[dict[str, Any]]:
    flights, weather = random_days()
    wanted = np.ones(len(flights), dtype=np.bool_)
    table = features_table(
        flights_table(flights), weather_table(weather), wanted, horizon_min=HORIZON
    )
    return sorted(table.to_pylist(), key=lambda row: str(row[c.FLIGHT_ID]))


@pytest.mark.parametrize("block_days", [9, 366])
def test_any_cut_of_the_days_gives_the_same_table(
    silver: tuple[DataFrame, DataFrame], block_days: int
) -> None:
    # Given 70 days of flights / When they are computed in blocks of so many days
    frame = to_features(*silver, horizon_min=HORIZON, block_days=block_days)
    # Then the table is what one block without Spark gives
    assert frame.schema == gold_schema()
    assert rows_of(frame) == whole()


def test_a_range_of_days_is_that_part_of_the_table(silver: tuple[DataFrame, DataFrame]) -> None:
    # Given a range of days in the middle
    days = DayRange(dt.date(2013, 4, 20), dt.date(2013, 4, 22))
    # When only it is computed
    frame = to_features(*silver, horizon_min=HORIZON, block_days=30, days=days)
    # Then it is that part of the whole table
    assert rows_of(frame) == [
        row for row in whole() if days.first <= row[c.FLIGHT_DATE] <= days.last
    ]


def test_a_range_as_sql() -> None:
    # Given ranges / When they are written as SQL / Then each end is a condition
    day = dt.date(2013, 4, 20)
    assert DayRange(day, day).sql("d") == "d >= DATE'2013-04-20' AND d <= DATE'2013-04-20'"
    assert DayRange(None, day).sql("d") == "d <= DATE'2013-04-20'"
    assert DayRange().sql("d") == "true"
