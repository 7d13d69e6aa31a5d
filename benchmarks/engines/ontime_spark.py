"""The work in Ontime where Spark reads and writes: one shuffle, then the kernel, to Delta.

What the stage `build_features` does where the tables are not on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.work import FEATURES, HORIZON_MIN
from features.offline.blocks import to_features
from pipelines.settings import load_settings
from pipelines.spark.session import open_session
from pipelines.tables.delta_tables import Tables

if TYPE_CHECKING:
    from pathlib import Path


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to a Delta table at `target`."""
    settings = load_settings()
    spark = open_session(settings.spark, home=target.parent)
    frame = to_features(
        spark.read.parquet(str(source / "silver_flights")),
        spark.read.parquet(str(source / "silver_weather")),
        horizon_min=HORIZON_MIN,
        block_days=settings.features.block_days,
        features=FEATURES,
    )
    Tables(spark, str(target.parent)).replace(target.name, frame, description="benchmark")
