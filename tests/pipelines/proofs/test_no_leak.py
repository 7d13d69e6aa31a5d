from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from features.leaks.prover import middle_days
from pipelines.cli import execute
from pipelines.proofs import no_leak
from tests.features.real_weeks import real_weeks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.stages import Stage
    from pipelines.tables.delta_tables import Tables
    from tests.pipelines.conftest import Recorded


class IngestWasCalledError(Exception):
    """Ends the command where it would ingest."""


@pytest.fixture(autouse=True)
def no_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(stage: Stage, _: object) -> None:
        assert stage.name == "ingest"
        raise IngestWasCalledError

    monkeypatch.setattr(no_leak, "run_stage", refused)


@pytest.mark.spark
def test_without_silver_it_is_made_first(recorded: Recorded, tables: Tables) -> None:
    # Given a home without tables / When the proof is asked for / Then the ingest stage runs first
    context = recorded.context.using(tables=tables)
    with pytest.raises(IngestWasCalledError):
        no_leak.prove_no_leak(context, count=2, seed=1)


@pytest.mark.spark
def test_the_command_proves_on_silver_and_writes_its_figures(
    recorded: Recorded, spark: SparkSession, tables: Tables
) -> None:
    # Given silver tables
    world = middle_days(real_weeks(), days=24)
    tables.replace("silver_flights", spark.createDataFrame(world.flights), description="")
    tables.replace("silver_weather", spark.createDataFrame(world.weather), description="")
    # When the proof is asked for
    no_leak.prove_no_leak(recorded.context.using(tables=tables), count=2, seed=1)
    # Then the figures tell of no leak, and of every planted one
    path = recorded.context.settings.home / "figures" / "prove-no-leak.json"
    figures = json.loads(path.read_text())
    assert figures["leaks"] == 0
    assert figures["instants"] == 2
    assert figures["caught"] == figures["planted"] >= 10


def test_the_help_names_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    # Given the command / When its help is asked for / Then it names its parameters
    assert execute(["prove", "no-leak", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("--instants", "--seed", "--horizon-min"))
