"""The sweep is logged as nested runs, starts from the parameters in use, and survives a kill -9."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pipelines.study.sweep import TREES
from tests.pipelines.swept_world import NAME, sweep, sweep_context, table_at
from training.study.trial import search_point
from training.tracking.tracking_store import PARENT_TAG

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Run
    from pyspark.sql import SparkSession

    from pipelines.runtime.context import RunContext

pytestmark = pytest.mark.spark


@pytest.fixture
def swept_home(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return tmp_path


def below(context: RunContext, parent: str) -> list[Run]:
    tracking = context.tracking
    wanted = f"tags.`{PARENT_TAG}` = '{parent}'"
    return list(tracking.client.search_runs([tracking.experiment_id], wanted))


def study_run(context: RunContext) -> str:
    tracking = context.tracking
    wanted = f"tags.`mlflow.runName` = '{NAME}'"
    (run,) = tracking.client.search_runs([tracking.experiment_id], wanted)
    return str(run.info.run_id)


def test_trials_are_nested_runs_and_a_later_sweep_resumes(
    spark: SparkSession, swept_home: Path
) -> None:
    # Given a run that a sweep belongs to
    context = sweep_context(swept_home, trials=3).using(spark=spark)
    with context.tracking.open_run("study", tags={}) as parent:
        # When a sweep of three trials runs
        first = sweep(context, parent)
    # Then its run is below that one, its trials below it, and the parameters in use are a trial
    (study,) = below(context, parent)
    trials = [run for run in below(context, study.info.run_id) if run.info.status != "FAILED"]
    assert len(trials) == first.trials == 3  # those that a busy store failed are made up for
    assert first.completed + first.pruned == 3
    assert first.best_auc >= first.kept_auc > 0.5
    assert set(first.parameters) == {*search_point(context.settings.training.model), "iterations"}
    assert all(f"user_{TREES}" in run.data.tags for run in trials if run.info.status == "FINISHED")
    # And when two more are requested, those already exist
    more = sweep_context(swept_home, trials=5).using(spark=spark)
    again = sweep(more, parent)
    assert again.trials == 5
    assert again.best_auc >= first.best_auc
    assert {run.info.run_id for run in trials} <= {
        run.info.run_id for run in below(more, study.info.run_id)
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_sweep_is_resumed(spark: SparkSession, swept_home: Path) -> None:
    # Given a sweep that is killed while trials run and one is done
    context = sweep_context(swept_home, trials=4).using(spark=spark)
    table_at(swept_home)
    command = [sys.executable, "-m", "tests.pipelines.swept_world", str(swept_home)]
    with subprocess.Popen(command, start_new_session=True) as process:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not running_trials(context):
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
    open_before = len(running_trials(context))
    assert open_before > 0
    # When it runs again, Then what was open has failed, and there are as many trials as requested
    result = sweep(context)
    statuses = [run.info.status for run in below(context, study_run(context))]
    assert statuses.count("FAILED") == open_before
    assert "RUNNING" not in statuses
    assert result.trials == 4 == len(statuses) - open_before
    assert result.completed > 0


def running_trials(context: RunContext) -> list[Run]:
    tracking = context.tracking
    wanted = f"tags.`mlflow.runName` = '{NAME}'"
    studies = tracking.client.search_runs([tracking.experiment_id], wanted)
    runs = [run for study in studies for run in below(context, study.info.run_id)]
    return [run for run in runs if run.info.status == "RUNNING"]
