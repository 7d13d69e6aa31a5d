"""The work in Ontime: blocks of days through the kernel, to a Delta table with statistics.

The calls that the stage `build_features` makes where the tables are on this machine, with the
features of the work, and Parquet files in place of the silver tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.work import FEATURES, HORIZON_MIN
from features.offline.blocks import EVERY_DAY
from features.offline.feature_table import gold_arrow_schema
from pipelines.gold.block_files import (
    FLIGHT_DAY,
    WEATHER_DAY,
    BlockInputs,
    SilverFiles,
    write_blocks,
)
from pipelines.settings import load_settings
from pipelines.spark.session import open_session
from pipelines.tables.arrow_files import files_of_folder, replace_all

if TYPE_CHECKING:
    from pathlib import Path


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to a Delta table at `target`."""
    settings = load_settings()
    spark = open_session(settings.spark, home=target.parent)
    silver = SilverFiles(
        tuple(files_of_folder(source / "silver_flights", FLIGHT_DAY)),
        tuple(files_of_folder(source / "silver_weather", WEATHER_DAY)),
    )
    work = BlockInputs(silver, target, HORIZON_MIN, FEATURES)
    adds = write_blocks(spark, work, days=(EVERY_DAY,), block_days=settings.features.block_days)
    replace_all(target, gold_arrow_schema(FEATURES), adds, "benchmark")
