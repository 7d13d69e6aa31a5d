"""The stage that builds the feature table: horizons side by side, and ranges of days."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from features.declare import columns as c
from pipelines.build_features import run
from pipelines.gold.feature_table import FLIGHTS, WEATHER
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.days import DayRangeError
from pipelines.runtime.runner import run_stage
from pipelines.runtime.stage_records import StageRecord
from pipelines.settings import load_settings
from pipelines.stages import stage_named
from tests.features.factories import flights_table, random_days, weather_table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from pipelines.tables.delta_tables import Tables

STAGE = stage_named("build_features")


def context_of(tables: Tables, horizon_min: int = 120) -> RunContext:
    """Return the context of a command that is given a horizon."""
    settings = load_settings("dev")
    features = settings.features.model_copy(update={"horizon_min": horizon_min})
    context = RunContext(settings.model_copy(update={"features": features}), Console(io.StringIO()))
    return context.using(tables=tables)


@pytest.fixture
def ingested(spark: SparkSession, tables: Tables, home: Path) -> Tables:
    """Silver tables of 50 days, and the record that they were ingested."""
    flights, weather = random_days(50)
    weather = [row | {c.PRESSURE: 1000.0} for row in weather]
    for name, table in ((FLIGHTS, flights_table(flights)), (WEATHER, weather_table(weather))):
        tables.replace(name, spark.createDataFrame(table), description="silver")
    outputs = {"silver": {"flights": "a" * 64, "weather": "b" * 64}}
    context_of(tables).records.write("ingest", StageRecord("f" * 64, {}, outputs, 1.0, "just now"))
    assert (home / "stages" / "ingest.json").exists()
    return tables


@pytest.mark.spark
def test_another_horizon_is_a_separate_table_and_changes_nothing_else(ingested: Tables) -> None:
    # Given the feature table of the configured horizon
    first = run_stage(STAGE, context_of(ingested))
    version = ingested.version("gold_features_h120")
    # When that of another horizon is built
    other = run_stage(STAGE, context_of(ingested, 30))
    # Then it has a table and a record of its own
    assert other.outputs["table"] == "gold_features_h30"
    assert other.outputs["rows"] == first.outputs["rows"] == 500
    assert other.outputs["gold_hash"] != first.outputs["gold_hash"]
    # And neither has to be built again
    again = [run_stage(STAGE, context_of(ingested, horizon)) for horizon in (120, 30)]
    assert [report.skipped for report in again] == [True, True]
    assert [report.outputs for report in again] == [first.outputs, other.outputs]
    assert ingested.version("gold_features_h120") == version
    assert ingested.content_hash("gold_features_h120") == first.outputs["gold_hash"]


@pytest.mark.parametrize(
    ("days", "sentence"),
    [(("2013-4-1", ""), "is not YYYY-MM-DD"), (("2013-04-02", "2013-04-01"), "has no days")],
)
def test_a_range_without_days_is_an_error(days: tuple[str, str], sentence: str) -> None:
    with pytest.raises(DayRangeError, match=sentence):
        run(RunContext(load_settings("dev")), from_day=days[0], to_day=days[1])
