from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from features.leaks.planted_leaks import PLANTED
from features.leaks.prover import Leak, Proof, middle_days
from pipelines.cli import execute
from pipelines.proofs.no_leak import LeakError, LeakReport, prove_no_leak
from tests.features.real_weeks import real_weeks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.stages import Stage
    from pipelines.tables.delta_tables import Tables
    from tests.pipelines.conftest import Recorded


LEAK = Leak("peek", 22_860_000, 3, "UA-1-2013061900", 1.0, None)
CLEAN = Proof((22_860_000,), 500, (), frozenset({"wind"}))
LEAKY = Proof((22_860_000,), 500, (LEAK,), frozenset({"wind", "peek"}))


class IngestWasCalledError(Exception):
    """Ends the command where it would ingest."""


def no_ingest(stage: Stage, _: object) -> None:
    assert stage.name == "ingest"
    raise IngestWasCalledError


@pytest.mark.spark
def test_without_silver_the_ingest_stage_runs_first(recorded: Recorded, tables: Tables) -> None:
    # Given a home without tables / When the proof is requested / Then the ingest stage runs first
    context = recorded.context.using(tables=tables)
    with pytest.raises(IngestWasCalledError):
        prove_no_leak(context, count=2, seed=1, ingest=no_ingest)


@pytest.mark.spark
def test_the_command_proves_on_silver_and_writes_its_figures(
    recorded: Recorded, spark: SparkSession, tables: Tables
) -> None:
    # Given silver tables
    world = middle_days(real_weeks(), days=24)
    tables.replace("silver_flights", spark.createDataFrame(world.flights), description="")
    tables.replace("silver_weather", spark.createDataFrame(world.weather), description="")
    # When the proof is requested
    prove_no_leak(recorded.context.using(tables=tables), count=2, seed=1, ingest=no_ingest)
    # Then the figures have no leak, and every planted one as caught
    path = recorded.context.settings.home / "figures" / "prove-no-leak.json"
    figures = json.loads(path.read_text())
    assert figures["leaks"] == 0
    assert figures["instants"] == 2
    assert figures["caught"] == figures["planted"] >= 10


def test_the_help_names_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    # Given the command / When its help is requested / Then it names its parameters
    assert execute(["prove", "no-leak", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("--instants", "--seed", "--horizon-min"))


def report(*, declared: Proof, planted: Proof) -> LeakReport:
    return LeakReport(3, declared, ((PLANTED[0], planted),))


def test_a_clean_proof_that_catches_what_is_planted_passes() -> None:
    # Given no leak, and the planted one caught / When the report is built
    found = report(declared=CLEAN, planted=LEAKY)
    found.require_clean()
    # Then figures and text report it
    assert found.figures() == {
        "features": 3,
        "instants": 1,
        "values": 500,
        "tested": 1,
        "leaks": 0,
        "planted": 1,
        "caught": 1,
    }
    text = "\n".join(found.lines())
    assert "0 changed with what became known then or later" in text
    assert "caught  own_departure_delay" in text


def test_a_leak_is_reported_with_feature_flight_instant_and_values() -> None:
    # Given a feature that leaks / When the report is built
    found = report(declared=LEAKY, planted=LEAKY)
    # Then it is reported, and the command fails
    assert (
        "  leak: peek of UA-1-2013061900 was 1.0, and None when what is known from "
        "2013-06-19 00:00Z on differs (3 flights)"
    ) in found.lines()
    with pytest.raises(LeakError, match="use later knowledge: peek"):
        found.require_clean()


def test_a_prover_that_misses_a_planted_leak_proves_nothing() -> None:
    # Given no leak, and the planted one not caught / When the report is built / Then it fails
    found = report(declared=CLEAN, planted=CLEAN)
    assert found.figures()["caught"] == 0
    assert any("MISSED  own_departure_delay" in line for line in found.lines())
    with pytest.raises(LeakError, match="not caught: own_departure_delay"):
        found.require_clean()
