"""`mlflow run` as a person types it: entry points, parameters, and whose run is whose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent


def run(
    command: list[str], home: Path, conf: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment's own `bin` in the clone."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean | {"PATH": path, "ONTIME_HOME": str(home), **more}
    if conf is not None:
        environment["ONTIME_CONF"] = str(conf)
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


def mlflow_run(*arguments: str) -> list[str]:
    return ["mlflow", "run", ".", "--env-manager=local", *arguments]


@pytest.fixture
def fallback() -> Iterator[Path]:
    """Give the store that MLflow makes where one stands, and remove it if it was not there."""
    path = ROOT / "mlflow.db"
    existed = path.exists()
    yield path
    if not existed:
        path.unlink(missing_ok=True)


def test_a_stage_that_has_to_wait_reports_it_in_one_sentence_and_fails_the_run(home: Path) -> None:
    # Given a home where nothing has run, and parameters with blanks and quotes
    store = f"sqlite:///{home}/mlflow.db"
    command = mlflow_run("-e", "promote", "-P", "by=Ada Lovelace", "-P", "reason=it's better")
    # When a stage is run alone
    done = run(command, home, MLFLOW_TRACKING_URI=store)
    # Then it names the command to run first, and the project's run has failed
    assert done.returncode != 0
    assert "ontime promote: Stage register has not finished" in done.stderr
    assert "Traceback" not in done.stderr
    (project,) = MlflowClient(store).search_runs(["0"])
    assert project.info.status == "FAILED"


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(1200)
def test_the_training_run_is_the_child_of_the_projects_and_a_stray_run_id_changes_nothing(
    home: Path, small_conf: Path, fallback: Path
) -> None:
    # Given the whole pipeline, run as a project
    store = f"sqlite:///{home}/mlflow.db"
    done = run(mlflow_run(), home, small_conf, MLFLOW_TRACKING_URI=store)
    assert done.returncode == 0, done.stdout + done.stderr
    client = MlflowClient(store)
    (project,) = client.search_runs(["0"])
    experiment = client.get_experiment_by_name("ontime")
    assert experiment is not None
    (trained,) = client.search_runs([experiment.experiment_id])
    assert (project.info.status, trained.info.status) == ("FINISHED", "FINISHED")
    assert trained.data.tags["mlflow.parentRunId"] == project.info.run_id
    # When all is run again with nothing new, Then no library of a stage is imported
    nothing = [sys.executable, "-X", "importtime", "-m", "pipelines.cli", "run"]
    again = run(nothing, home, small_conf, MLFLOW_TRACKING_URI=store)
    assert "Nothing changed" in again.stdout, again.stdout
    imported = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines()}
    assert "pipelines.run" in imported
    assert not imported & {"pyspark", "delta", "mlflow", "great_expectations", "sklearn", "pandas"}
    # And a service of that release holds in every hostile case, and loses no prediction
    hostile = run([sys.executable, "-m", "pipelines.cli", "prove", "hostile"], home, small_conf)
    assert hostile.returncode == 0, hostile.stdout + hostile.stderr
    found = json.loads((home / "figures" / "hostile.json").read_text())
    assert found["cases"] == found["held"] >= 45
    assert found["acknowledged_lost"] == 0
    assert found["worst_head_memory_mb"] <= 160
    # When training is forced by hand, with the id of a run that does not exist in the environment
    by_hand = [sys.executable, "-m", "pipelines.cli", "train", "--force"]
    again = run(by_hand, home, small_conf, MLFLOW_RUN_ID="f" * 32, MLFLOW_TRACKING_URI=store)
    # Then it ends well, and finds that the model already exists
    assert again.returncode == 0, again.stdout + again.stderr
    assert "has this model already" in again.stdout
    assert len(client.search_runs([experiment.experiment_id])) == 1
    # And a stage alone, as a project whose store is MLflow's own fallback, uses the store at home
    alone = run(mlflow_run("-e", "evaluate", "-P", "force=yes"), home, small_conf)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert fallback.exists()
    assert len(client.search_runs([experiment.experiment_id])) == 1
