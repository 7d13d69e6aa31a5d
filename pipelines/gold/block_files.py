"""Feature table files by block of days, computed by Spark's Python workers with Arrow.

It does what `features.offline.blocks` does with a shuffle, without one: a worker reads the days of
its block and their look-back halo from the silver files, and writes the block's feature table file.
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.declare import columns as c
from features.declare.streams import LATE_FROM_MIN
from features.offline.blocks import LOOK_AHEAD_DAYS, LOOK_BACK_DAYS, DayRange
from features.offline.feature_table import features_table
from pipelines.tables.arrow_files import DayColumn, DayFile, day_span, read_days, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pyspark.sql import SparkSession

    from features.declare.declarations import Feature

FLIGHT_DAY: Final = DayColumn(c.FLIGHT_DATE)
WEATHER_DAY: Final = DayColumn(c.KNOWN, is_instant=True)

# Of a file that a worker wrote: what the transaction needs to know.
_WRITTEN: Final = "path string, size long, at long, stats string"
_EPOCH: Final = dt.date(1970, 1, 1)
_TASKS_PER_CORE: Final = 3  # a task costs 0.1 s of a worker before it begins


@dataclass(frozen=True, slots=True)
class SilverFiles:
    """The files of silver_flights and of silver_weather, at least one of each."""

    flights: tuple[DayFile, ...]
    weather: tuple[DayFile, ...]


@dataclass(frozen=True, slots=True)
class BlockInputs:
    """The task of a worker: one block to compute.

    Attributes:
        silver: The files to read.
        folder: The folder of the feature table.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        features: The features to compute.
        late_from_min: Arrival delay from which a flight is labelled late.
    """

    silver: SilverFiles
    folder: Path
    horizon_min: int
    features: tuple[Feature, ...]
    late_from_min: int = LATE_FROM_MIN


def write_blocks(
    spark: SparkSession,
    inputs: BlockInputs,
    *,
    days: Sequence[DayRange],
    block_days: int,
) -> list[AddAction]:
    """Compute ranges of days and write their files, without committing them.

    Args:
        spark: The session whose workers compute the blocks.
        inputs: What to compute.
        days: The flight dates (local, at the origin) to compute, as ranges that do not meet.
        block_days: Days of flights in a block, which becomes a file.
    """
    blocks = [block for one in days for block in blocks_of(days_of(inputs, one), block_days)]
    tasks = min(len(blocks), _TASKS_PER_CORE * (os.cpu_count() or 1))
    numbers = spark.range(0, len(blocks), 1, numPartitions=tasks)
    rows = numbers.mapInArrow(_task(inputs, blocks), schema=_WRITTEN).collect()
    return [
        AddAction(row["path"], row["size"], {}, row["at"], data_change=True, stats=row["stats"])
        for row in rows
    ]


def blocks_of(days: tuple[dt.date, dt.date], block_days: int) -> list[tuple[dt.date, dt.date]]:
    """Return a range of days cut into blocks; block boundaries are the same for every range."""
    first, last = ((day - _EPOCH).days for day in days)
    starts = range(first // block_days * block_days, last + 1, block_days)
    cut = [(max(first, start), min(last, start + block_days - 1)) for start in starts]
    return [(_EPOCH + dt.timedelta(start), _EPOCH + dt.timedelta(end)) for start, end in cut]


def days_of(inputs: BlockInputs, days: DayRange) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of a range; an open end is that of the flights."""
    if days.first and days.last:
        return days.first, days.last
    first, last = day_span(inputs.silver.flights, FLIGHT_DAY)
    return days.first or first, days.last or last


def _task(
    inputs: BlockInputs, blocks: list[tuple[dt.date, dt.date]]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                table = features_of_days(inputs, *blocks[number])
                if table.num_rows:
                    add = write_file(table, inputs.folder)
                    row = (add.path, add.size, add.modification_time, add.stats)
                    yield pa.record_batch([[value] for value in row], names=_NAMES)

    return write


_NAMES: Final = [column.split()[0] for column in _WRITTEN.split(", ")]


def features_of_days(inputs: BlockInputs, first: dt.date, last: dt.date) -> pa.Table:
    """Return the feature table's rows of a range of days, both ends included, by departure."""
    before, after = dt.timedelta(LOOK_BACK_DAYS + 1), dt.timedelta(LOOK_AHEAD_DAYS + 1)
    halo = first - before, last + after  # a local day is not a UTC day
    columns = (*FLIGHT_COLUMNS, c.FLIGHT_DATE)
    flights = read_days(inputs.silver.flights, columns, FLIGHT_DAY, *halo)
    weather = read_days(inputs.silver.weather, WEATHER_COLUMNS, WEATHER_DAY, *halo)
    date = flights[c.FLIGHT_DATE]
    wanted = pc.and_(pc.greater_equal(date, pa.scalar(first)), pc.less_equal(date, pa.scalar(last)))
    flags = wanted.to_numpy().astype(np.bool_)
    return features_table(
        flights,
        weather,
        flags,
        horizon_min=inputs.horizon_min,
        late_from_min=inputs.late_from_min,
        features=inputs.features,
    )
