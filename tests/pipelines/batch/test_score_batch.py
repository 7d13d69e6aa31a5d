from __future__ import annotations

import csv
import datetime as dt
import io
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F
import pytest

from features.declare import columns as c
from ontime_base.errors import OntimeError
from pipelines.batch.batch_predictions import batch_model
from pipelines.batch.score_batch import (
    NotReleasedError,
    ScoresDifferError,
    score_days,
    score_version,
    validate_equal_scores,
)
from pipelines.cli import execute
from pipelines.online.materialize import materialize
from pipelines.runtime.days import day_range
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.real_weeks import real_weeks
from tests.pipelines.conftest import ROOT, package_file
from tests.pipelines.real_parts import gold
from tests.pipelines.scored_world import release_small_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import Row, SparkSession

    from pipelines.runtime.context import RunContext
    from pipelines.tables.delta_tables import Tables
    from pipelines.tables.table_reader import TableReader
    from tests.pipelines.conftest import Recorded

TABLE = "predictions_h120"


def arguments_of(*, first: str = "", last: str = "", **changes: Any) -> dict[str, Any]:
    return {"days": day_range(first, last), **changes}


@pytest.fixture
def released(recorded: Recorded, spark: SparkSession, tables: Tables) -> RunContext:
    """Return a context with a feature table of 26 days and a small released model."""
    context = recorded.context.using(tables=tables, spark=spark)
    tables.replace("gold_features_h120", spark.createDataFrame(gold()), description="test")
    release_small_model(context.artifacts)
    return context


def airports() -> Iterator[dict[str, str]]:
    for path in (package_file("airports.csv"), ROOT / "conf" / "airports_supplement.csv"):
        rows = csv.DictReader(io.StringIO(path.read_text()))
        yield from (row for row in rows if row["tzone"] != "NA")


def rows_of(tables: Tables) -> list[Row]:
    return tables.read(TABLE).drop("scored_at").orderBy(c.FLIGHT_ID, "model_version").collect()


@pytest.mark.spark
def test_every_flight_gets_the_score_that_the_service_gives_it(
    released: RunContext, spark: SparkSession, tables: Tables, reader: TableReader
) -> None:
    # Given silver and an online store that reaches back two days
    world = real_weeks()
    tables.replace("silver_flights", spark.createDataFrame(world.flights), description="test")
    tables.replace("silver_weather", spark.createDataFrame(world.weather), description="test")
    zones = [(row["faa"], row["tzone"]) for row in airports()]
    frame = spark.createDataFrame(zones, "airport STRING, timezone STRING")
    tables.replace("silver_airports", frame, description="test")
    home: Path = released.settings.home
    days = released.settings.operations.online_days
    with closing(SqliteOnlineStore(home / "serving.db")) as online:
        materialize(reader, online, retain_days=days, horizon_min=120)
    # When all is scored and checked
    score_version(released, **arguments_of(check=True))
    # Then every row was compared with the scorer, and flights with the service's answers
    figures = json.loads((home / "figures" / "score-batch.json").read_text())
    assert figures["rows"] == figures["rows_compared"] == gold().num_rows
    assert figures["requests_compared"] == 1_000
    assert figures["max_difference"] <= 1e-12
    assert figures["rows_per_minute"] > 0
    # And each row has what made it
    first = tables.read(TABLE).first()
    assert first is not None
    assert (first["model_name"], first["model_version"]) == ("ontime", "1")
    assert first["gold_version"] == tables.version("gold_features_h120")
    assert first["late"] == (first["probability"] >= model_threshold(released))


def model_threshold(context: RunContext) -> float:
    model = batch_model(context.artifacts, model_name="ontime", version="1")
    return model.contract.operating_threshold


@pytest.mark.spark
def test_the_same_again_is_the_same_and_other_versions_and_days_stay(
    released: RunContext, tables: Tables
) -> None:
    # Given all days scored by version 1, and version 2 published
    score_version(released, **arguments_of())
    before = rows_of(tables)
    assert len(before) == gold().num_rows
    release_small_model(released.artifacts, "2")
    # When a few days are scored again by version 1, as after a crash
    days = {"first": "2013-10-20", "last": "2013-10-22"}
    score_version(released, **arguments_of(version="1", **days))
    # Then nothing but the time of scoring is other
    assert rows_of(tables) == before
    times = [row[0] for row in tables.read(TABLE).select("scored_at").distinct().collect()]
    assert len(times) == 2
    # When the champion, version 2, scores them
    score_version(released, **arguments_of(**days))
    # Then its predictions stand beside those of version 1
    by_version = (
        tables.read(TABLE)
        .groupBy("model_version")
        .agg(F.count("*").alias("rows"), F.min(c.FLIGHT_DATE), F.max(c.FLIGHT_DATE))
    )
    found = {row[0]: tuple(row)[1:] for row in by_version.collect()}
    assert found["1"][0] == len(before)
    assert found["2"][1:] == (dt.date(2013, 10, 20), dt.date(2013, 10, 22))
    assert 0 < found["2"][0] < len(before)


@pytest.mark.spark
def test_a_scored_flight_deleted_from_gold_loses_its_prediction(
    released: RunContext, tables: Tables
) -> None:
    # Given predictions / When a flight leaves the feature table and its day is scored again
    score_version(released, **arguments_of())
    before = len(rows_of(tables))
    remaining = tables.read("gold_features_h120").where(F.col(c.FLIGHT_ID) != rows_of(tables)[0][0])
    tables.replace("gold_features_h120", remaining.localCheckpoint(), description="one less")
    model = batch_model(released.artifacts, model_name="ontime", version="1")
    score_days(released, model, days=day_range("", ""))
    # Then it is deleted from the predictions
    assert len(rows_of(tables)) == before - 1


@pytest.mark.parametrize(
    ("word", "problem"), [("7", "Version 7 was not"), ("Staging", "challenger")]
)
def test_a_version_that_was_not_published_is_named(
    recorded: Recorded, word: str, problem: str
) -> None:
    release_small_model(recorded.context.artifacts)
    with pytest.raises(NotReleasedError, match=problem):
        score_version(recorded.context, **arguments_of(version=word))


def test_without_a_release_the_pipeline_is_run_first(recorded: Recorded) -> None:
    class PipelineRanError(OntimeError):
        """Ends the command where the pipeline would run."""

    def ran(_: RunContext) -> None:
        raise PipelineRanError

    with pytest.raises(PipelineRanError):
        score_version(recorded.context, **arguments_of(), release_one=ran)


def test_scores_that_differ_from_the_service_are_an_error() -> None:
    validate_equal_scores({"rows": 3, "max_difference": 1e-9})
    validate_equal_scores({"rows": 3})
    for wrong in (1e-3, float("nan")):
        with pytest.raises(ScoresDifferError, match="fill it again"):
            validate_equal_scores({"max_difference": wrong})


def test_the_help_names_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["score-batch", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("--from", "--to", "--version", "--check"))
