"""Writes the feature table: with Arrow where its files are on this machine, else by Spark."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import DataFrame

from features.catalog import FEATURES
from features.declare.columns import FLIGHT_DATE
from features.offline.blocks import EVERY_DAY, DayRange, to_features
from features.offline.feature_table import gold_arrow_schema
from pipelines.gold.block_files import (
    FLIGHT_DAY,
    WEATHER_DAY,
    BlockInputs,
    SilverFiles,
    days_of,
    write_blocks,
)
from pipelines.tables.arrow_files import (
    files_of_table,
    is_plain,
    replace_all,
    replace_days,
)
from pipelines.tables.commit_metadata import to_description
from pipelines.tables.day_ranges import sql_of
from pipelines.tables.locations import local_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.runtime.context import RunContext
    from pipelines.tables.commit_metadata import GoldCommit

FLIGHTS: Final = "silver_flights"
WEATHER: Final = "silver_weather"


def write_features(
    context: RunContext, name: str, *, days: Sequence[DayRange], commit: GoldCommit
) -> None:
    """Write the feature table, or replace ranges of its days.

    One commit: after a crash the table is as before it or as after it.

    Args:
        context: Session, tables and settings.
        name: The feature table; it is created when every day is written.
        days: The flight dates (local, at the origin) to compute, as ranges that do not meet.
        commit: The metadata of the commit; it names the versions of silver that are read.
    """
    folders = _local_folders(context, name) if context.settings.tables.columnar else None
    if folders is None:
        _write_by_spark(context, name, days, commit)
    else:
        _write_with_arrow(context, folders, days, commit)


def _write_with_arrow(
    context: RunContext, folders: dict[str, Path], days: Sequence[DayRange], commit: GoldCommit
) -> None:
    settings = context.settings.features
    flights, weather, gold = folders.values()
    silver = SilverFiles(
        tuple(files_of_table(flights, FLIGHT_DAY, commit.flights.version)),
        tuple(files_of_table(weather, WEATHER_DAY, commit.weather.version)),
    )
    inputs = BlockInputs(
        silver, gold, settings.horizon_min, FEATURES, late_from_min=settings.late_from_min
    )
    adds = write_blocks(context.spark, inputs, days=days, block_days=settings.block_days)
    if EVERY_DAY in days:
        replace_all(gold, gold_arrow_schema(), adds, to_description(commit))
    else:
        replace_days(
            gold, adds, FLIGHT_DAY, [days_of(inputs, one) for one in days], to_description(commit)
        )


def _write_by_spark(
    context: RunContext, name: str, days: Sequence[DayRange], commit: GoldCommit
) -> None:
    tables, settings = context.tables, context.settings.features
    flights, weather = (
        tables.read(FLIGHTS, commit.flights.version),
        tables.read(WEATHER, commit.weather.version),
    )
    frames = [
        to_features(
            flights,
            weather,
            horizon_min=settings.horizon_min,
            late_from_min=settings.late_from_min,
            block_days=settings.block_days,
            days=one,
        )
        for one in days
    ]
    frame = reduce(DataFrame.unionByName, frames)
    if EVERY_DAY in days:
        tables.replace(name, frame, description=to_description(commit))
    else:
        predicate = sql_of(days, FLIGHT_DATE)
        tables.replace_where(name, frame, predicate=predicate, description=to_description(commit))


def _local_folders(context: RunContext, name: str) -> dict[str, Path] | None:
    """Return the tables' folders, if this machine's Python workers can open all their files."""
    remote = context.settings.spark.remote
    if remote is not None and not remote.startswith("local"):
        return None
    folders = {table: local_folder(context.tables.uri(table)) for table in (FLIGHTS, WEATHER, name)}
    known = {table: folder for table, folder in folders.items() if folder is not None}
    return known if len(known) == len(folders) and all(map(is_plain, known.values())) else None
