"""Writing the feature table: in columns where its files are on this machine, else by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.blocks import EVERY_DAY, DayRange, to_features
from features.catalog import FEATURES
from features.columns import FLIGHT_DATE
from features.table import gold_arrow_schema
from pipelines.columnar import files_of_table, is_plain, local_folder, replace_all, replace_days
from pipelines.feature_files import (
    FLIGHT_DAY,
    WEATHER_DAY,
    FeatureWork,
    Silver,
    days_of,
    write_blocks,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.context import RunContext

FLIGHTS: Final = "silver_flights"
WEATHER: Final = "silver_weather"


def write_features(context: RunContext, name: str, *, days: DayRange) -> DayRange:
    """Write the feature table, or put a range of its days in place of what it has of them.

    One commit: after a crash the table is as before it or as after it. A table that does not exist
    is made, with every day.

    Args:
        context: Session, tables and settings.
        name: The feature table.
        days: The flight dates (local, at the origin) to compute.

    Returns:
        The days that were written.
    """
    whole = days == EVERY_DAY or not context.tables.exists(name)
    wanted = EVERY_DAY if whole else days
    folders = _local_folders(context, name) if context.settings.tables.columnar else None
    if folders is None:
        _write_by_spark(context, name, wanted)
    else:
        _write_in_columns(context, folders, wanted)
    return wanted


def _write_in_columns(context: RunContext, folders: dict[str, Path], days: DayRange) -> None:
    settings = context.settings.features
    flights, weather, gold = folders.values()
    silver = Silver(
        tuple(files_of_table(flights, FLIGHT_DAY)), tuple(files_of_table(weather, WEATHER_DAY))
    )
    work = FeatureWork(silver, gold, settings.horizon_min, FEATURES)
    adds = write_blocks(context.spark, work, days=days, block_days=settings.block_days)
    if days == EVERY_DAY:
        replace_all(gold, gold_arrow_schema(), adds, _description(days))
    else:
        replace_days(gold, adds, FLIGHT_DAY, days_of(work, days), _description(days))


def _write_by_spark(context: RunContext, name: str, days: DayRange) -> None:
    tables, settings = context.tables, context.settings.features
    frame = to_features(
        tables.read(FLIGHTS),
        tables.read(WEATHER),
        horizon_min=settings.horizon_min,
        block_days=settings.block_days,
        days=days,
    )
    if days == EVERY_DAY:
        tables.replace(name, frame, description=_description(days))
    else:
        predicate = days.sql(FLIGHT_DATE)
        tables.replace_where(name, frame, predicate=predicate, description=_description(days))


def _description(days: DayRange) -> str:
    return f"build_features: {'every day' if days == EVERY_DAY else days.sql(FLIGHT_DATE)}"


def _local_folders(context: RunContext, name: str) -> dict[str, Path] | None:
    """Return the tables' folders, if this machine's Python workers can open all their files."""
    remote = context.settings.spark.remote
    if remote is not None and not remote.startswith("local"):
        return None
    folders = {table: local_folder(context.tables.uri(table)) for table in (FLIGHTS, WEATHER, name)}
    known = {table: folder for table, folder in folders.items() if folder is not None}
    return known if len(known) == len(folders) and all(map(is_plain, known.values())) else None
