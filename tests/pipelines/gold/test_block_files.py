"""Blocks of days from file to file: any cut gives the table that one whole block gives."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog import FEATURES
from features.declare import columns as c
from features.offline.blocks import EVERY_DAY, DayRange
from features.offline.feature_table import features_table, gold_arrow_schema
from pipelines.gold.block_files import (
    FLIGHT_DAY,
    WEATHER_DAY,
    BlockInputs,
    SilverFiles,
    blocks_of,
    days_of,
    features_of_days,
    write_blocks,
)
from pipelines.tables.arrow_files import files_of_folder
from tests.features.factories import flights_table, random_days, weather_table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

DAYS = st.dates(dt.date(1969, 1, 1), dt.date(2030, 1, 1))


@pytest.fixture(scope="module")
def tables() -> tuple[pa.Table, pa.Table]:
    flights, weather = random_days()
    return flights_table(flights), weather_table(weather)


@pytest.fixture
def inputs(tables: tuple[pa.Table, pa.Table], tmp_path: Path) -> BlockInputs:
    """Silver in several files, in no order of days."""
    for name, table in zip(("flights", "weather"), tables, strict=True):
        (tmp_path / name).mkdir()
        for part in range(3):
            pq.write_table(
                table.slice(part * 250, 250 if part < 2 else None),
                tmp_path / name / f"{part}.parquet",
            )
    silver = SilverFiles(
        tuple(files_of_folder(tmp_path / "flights", FLIGHT_DAY)),
        tuple(files_of_folder(tmp_path / "weather", WEATHER_DAY)),
    )
    return BlockInputs(silver, tmp_path / "gold", 120, FEATURES)


def whole(tables: tuple[pa.Table, pa.Table]) -> pa.Table:
    wanted = np.ones(tables[0].num_rows, dtype=np.bool_)
    return features_table(*tables, wanted, horizon_min=120).sort_by(c.FLIGHT_ID)


@given(DAYS, st.integers(0, 400), st.integers(1, 120))
def test_blocks_have_every_day_once_and_begin_alike(first: dt.date, days: int, size: int) -> None:
    # Given any range of days / When it is cut into blocks
    last = first + dt.timedelta(days)
    blocks = blocks_of((first, last), size)
    # Then they follow each other from the first day to the last, none longer than requested
    assert (blocks[0][0], blocks[-1][1]) == (first, last)
    for (_, end), (start, _) in pairwise(blocks):
        assert start - end == dt.timedelta(days=1)
    assert all((end - start).days < size for start, end in blocks)
    # And a longer range is cut at the same days
    longer = blocks_of((first - dt.timedelta(size), last), size)
    assert {end for _, end in blocks} <= {end for _, end in longer}


def test_a_block_is_that_part_of_the_whole(
    inputs: BlockInputs, tables: tuple[pa.Table, pa.Table]
) -> None:
    # Given some days in the middle / When they are computed from the files
    first, last = dt.date(2013, 4, 18), dt.date(2013, 4, 22)
    found = features_of_days(inputs, first, last)
    # Then they are those days of the whole, bit for bit
    expected = [row for row in whole(tables).to_pylist() if first <= row[c.FLIGHT_DATE] <= last]
    assert found.sort_by(c.FLIGHT_ID).to_pylist() == expected
    assert found.schema == gold_arrow_schema()


def test_an_open_range_ends_with_the_flights(inputs: BlockInputs) -> None:
    # Given ranges with open ends / Then the flights' first and last day are taken
    day = dt.date(2013, 4, 1)
    first, last = days_of(inputs, EVERY_DAY)
    assert (first, last) == (dt.date(2013, 2, 28), dt.date(2013, 5, 9))
    assert days_of(inputs, DayRange(day, None)) == (day, last)
    assert days_of(inputs, DayRange(None, day)) == (first, day)
    assert days_of(inputs, DayRange(day, day)) == (day, day)


@pytest.mark.spark
@pytest.mark.parametrize("block_days", [9, 92])
def test_workers_write_the_whole_table(
    spark: SparkSession, inputs: BlockInputs, tables: tuple[pa.Table, pa.Table], block_days: int
) -> None:
    # Given the files / When workers write every day in blocks
    adds = write_blocks(spark, inputs, days=(EVERY_DAY,), block_days=block_days)
    # Then their files together are the whole table
    parts = [pq.read_table(inputs.folder / add.path) for add in adds]
    rows: list[dict[str, Any]] = pa.concat_tables(parts).sort_by(c.FLIGHT_ID).to_pylist()
    assert rows == whole(tables).to_pylist()
