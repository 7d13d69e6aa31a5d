"""Stage train: one finished run for one set of data, code and configuration, whatever happens."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from pipelines import train as stage
from pipelines.stages import stage_named
from tests.pipelines.real_parts import TRAINING, context_at, real_part
from tests.training.world import with_parameters
from training.tracking import lineage
from training.tracking.processes import ProcessIdentity
from training.tracking.run_files import LINEAGE_FILE, MODEL_FILE, read_file
from training.tracking.tracking_store import PROCESS_TAG

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext

TABLE = lineage.TableLineage("gold_features_h120", "file:///gold", 3, "d" * 64, 20_000)
SILVER = lineage.TableLineage("silver_flights", "file:///silver", 2, "e" * 64, 20_000)

SOURCES = (lineage.SourceLineage("flights", "flights.csv", "e" * 64),)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> RunContext:
    """Return a context whose feature table is 26 real days."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(stage, "read_part", lambda _, part: real_part(part))
    monkeypatch.setattr(stage, "table_lineage", lambda _: TABLE)
    monkeypatch.setattr(stage, "sources_of", lambda _: SOURCES)
    monkeypatch.setattr(stage, "silver_lineage", lambda _: (SILVER,))
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return context_at(tmp_path)


def statuses(context: RunContext) -> list[str]:
    """Return how every training run ended, the first one first."""
    tracking = context.tracking
    runs = tracking.client.search_runs([tracking.experiment_id], order_by=["start_time ASC"])
    return [run.info.status for run in runs]


def test_it_hands_back_a_finished_run_and_the_second_time_the_same(context: RunContext) -> None:
    # Given a feature table, When the stage runs twice
    first, again = stage.run(context), stage.run(context)
    # Then there is one run, with all that the stage promises
    assert set(first.outputs) == set(stage_named("train").outputs)
    assert again.outputs == first.outputs
    assert statuses(context) == ["FINISHED"]
    # And its lineage records its sources
    run_id = str(first.outputs["run_id"])
    stored = lineage.from_json(read_file(context.tracking.client, run_id, LINEAGE_FILE))
    assert (stored.table, stored.silver) == (TABLE, (SILVER,))
    assert stored.parts["build_features's gold_hash"] == f'"{"d" * 64}"'
    assert stored.sources == SOURCES
    assert stored.settings["training"]["model"] == TRAINING.model.model_dump(mode="json")
    assert stored.flights == {name: len(real_part(name)) for name in ("train", "validate")}


def test_a_killed_attempt_is_marked_and_repeated(context: RunContext) -> None:
    # Given an attempt that was killed midway: its run is open, its process is dead
    dead = msgspec.structs.replace(ProcessIdentity.of_this_process(), started="long ago")
    tracking = context.tracking
    tracking.client.create_run(tracking.experiment_id, tags={PROCESS_TAG: dead.to_text()})
    # When the stage runs again
    outcome = stage.run(context)
    # Then the dead run is marked, and another one has the model
    assert sorted(statuses(context)) == ["FINISHED", "KILLED"]
    assert outcome.notes[0] == "1 dead MLflow runs marked as killed"


def test_a_run_whose_files_are_deleted_is_rebuilt_bit_for_bit(context: RunContext) -> None:
    # Given a finished run whose exported model was deleted
    first = str(stage.run(context).outputs["run_id"])
    client = context.tracking.client
    model = read_file(client, first, MODEL_FILE)
    folder = client.get_run(first).info.artifact_uri.removeprefix("file://")
    shutil.rmtree(f"{folder}/exported")
    # When the stage runs again, Then another run has the very same model
    second = str(stage.run(context).outputs["run_id"])
    assert second != first
    assert read_file(client, second, MODEL_FILE) == model


def test_another_configuration_is_another_run(context: RunContext, tmp_path: Path) -> None:
    first = stage.run(context)
    other = context_at(
        tmp_path, TRAINING.model_copy(update={"model": with_parameters(TRAINING.model, seed=1)})
    )
    assert stage.run(other).outputs != first.outputs
    assert statuses(context) == ["FINISHED", "FINISHED"]


def test_a_failed_attempt_ends_failed(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage, "train", fail)
    with pytest.raises(ZeroDivisionError):
        stage.run(context)
    assert statuses(context) == ["FAILED"]
