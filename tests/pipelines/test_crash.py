"""Kill -9 in the middle of every stage, run again: the same final state as an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient

from operations.ledger.ledger import read_ledger
from operations.release.reconciliation import document_of
from pipelines.runtime.stage_records import StageRecords
from pipelines.stages import STAGES
from pipelines.tables.delta_tables import Tables
from serving.models.model_package import read_model_package
from serving.models.release_document import read_release
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.spark]

# How far into the stage it is killed, as a share of the time that it takes undisturbed.
MOMENTS = (0.1, 0.7)


def environment(home: Path, conf: Path) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return clean | {"ONTIME_HOME": str(home), "ONTIME_CONF": str(conf), "ONTIME_ENV": "dev"}


def start(home: Path, conf: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "run"],
        env=environment(home, conf),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_to_the_end(home: Path, conf: Path) -> str:
    with start(home, conf) as process:
        output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    return output


def kill_in(stage: str, home: Path, conf: Path, *, seconds: float) -> None:
    """Start a run and kill it so many seconds after a stage has started."""
    with start(home, conf) as process:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith(f"{stage}: "):
                time.sleep(seconds)
                process.send_signal(signal.SIGKILL)
                break
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, "".join(seen)


def final_state(home: Path, spark: SparkSession) -> dict[str, Any]:
    """Return everything that must not depend on what was killed on the way."""
    tables = Tables(spark, str(home / "tables"))
    store = FolderArtifactStore(home / "store")
    client = MlflowClient(f"sqlite:///{home}/mlflow.db", f"sqlite:///{home}/mlflow.db")
    ledger, release = read_ledger(store), read_release(store)
    assert release is not None
    assert release.document == document_of(ledger)
    experiments = [found.experiment_id for found in client.search_experiments()]
    versions = client.search_model_versions("name='ontime'")
    package = read_model_package(store, model_name="ontime", version=str(versions[0].version))
    with sqlite3.connect(home / "serving.db") as connection:
        items = connection.execute("SELECT key, body FROM online_items ORDER BY key").fetchall()
    return {
        "tables": {
            path.name: tables.content_hash(path.name) for path in (home / "tables").iterdir()
        },
        "running": [
            run.info.run_id for run in client.search_runs(experiments, "status = 'RUNNING'")
        ],
        "versions": [str(version.version) for version in versions],
        "aliases": client.get_registered_model("ontime").aliases,
        "champion": release.document.champion and release.document.champion.version,
        "challenger": release.document.challenger,
        "revision": release.document.revision,
        "ledger": [(entry.kind, entry.version) for entry in ledger.entries],
        "model": package.manifest.files["model.onnx"].sha256,
        "contract": package.manifest.files["contract.json"].sha256,
        "items": hashlib.sha256(repr(items).encode()).hexdigest(),
        "figures": {
            name: value
            for name, value in json.loads((home / "figures" / "run.json").read_text()).items()
            if name not in {"seconds", "seconds_by_stage", "ingested_new"}
        },
    }


@pytest.mark.timeout(1800)
def test_killed_in_every_stage_the_final_state_is_that_of_an_undisturbed_run(
    small_conf: Path, tmp_path: Path, spark: SparkSession
) -> None:
    # Given an undisturbed run, and how long each stage took in it
    calm, home = tmp_path / "calm", tmp_path / "home"
    run_to_the_end(calm, small_conf)
    taken = {
        stage.name: StageRecords(calm / "stages").require(stage.name).seconds for stage in STAGES
    }
    # When another one is killed twice in every stage, resumed each time
    for stage in STAGES:
        for moment in MOMENTS:
            kill_in(stage.name, home, small_conf, seconds=moment * taken[stage.name])
            if StageRecords(home / "stages").read(stage.name) is not None:
                break  # it was done before the signal came
    output = run_to_the_end(home, small_conf)
    # Then both homes are equal
    assert final_state(home, spark) == final_state(calm, spark)
    assert "taking over from a run" in output
    # And a run after that has nothing to do
    assert "Nothing changed" in run_to_the_end(home, small_conf)
    assert final_state(home, spark) == final_state(calm, spark)
