"""Training runs: opened below the run around them, found again, and ended when their process is."""

from __future__ import annotations

import os

import mlflow
import msgspec
import pytest

from training.tracking.processes import ProcessIdentity
from training.tracking.run_files import FINGERPRINT_TAG, write_files
from training.tracking.tracking_store import PARENT_TAG, PROCESS_TAG, PROJECT_TAG, Tracking

DEAD = msgspec.structs.replace(ProcessIdentity.of_this_process(), started="long ago").to_text()


def status(tracking: Tracking, run_id: str) -> str:
    found: str = tracking.client.get_run(run_id).info.status
    return found


def running(tracking: Tracking, **tags: str) -> str:
    """Return a run that is running, with tags."""
    run_id: str = tracking.client.create_run(tracking.experiment_id, tags=tags).info.run_id
    return run_id


def test_a_run_ends_finished_and_is_found_by_its_fingerprint(tracking: Tracking) -> None:
    # Given a run with a file
    with tracking.open_run("one", tags={FINGERPRINT_TAG: "abc"}) as run_id:
        write_files(tracking.client, run_id, {"exported/model.onnx": b"x"})
        # When it is still running, Then it is not found
        assert tracking.finished_run("abc") is None
    # And when it has ended, it is, unless one of its files is missing
    assert status(tracking, run_id) == "FINISHED"
    assert tracking.finished_run("abc", ["exported/model.onnx"]) == run_id
    assert tracking.finished_run("abc", ["exported/model.onnx", "card.html"]) is None
    assert tracking.finished_run("other") is None


def test_after_an_error_it_ends_failed_and_is_not_found(tracking: Tracking) -> None:
    def fail() -> None:
        with tracking.open_run("one", tags={FINGERPRINT_TAG: "abc"}) as run_id:
            made.append(run_id)
            raise ZeroDivisionError

    made: list[str] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert status(tracking, made[0]) == "FAILED"
    assert tracking.finished_run("abc") is None


def test_the_run_around_us_is_the_parent_and_never_ours(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given `mlflow run`, which names its own run in the environment
    around = running(tracking)
    monkeypatch.setenv("MLFLOW_RUN_ID", around)
    # When a training run is opened and ended
    with tracking.open_run("one", tags={}, parent=around) as run_id:
        tracking.log_metrics(run_id, {"auc": 0.7})
    # Then it is a nested run of that one, which stays active, without our metrics
    assert run_id != around
    assert os.environ["MLFLOW_RUN_ID"] == around
    assert tracking.client.get_run(run_id).data.tags[PARENT_TAG] == around
    assert status(tracking, around) == "RUNNING"
    assert tracking.client.get_run(around).data.metrics == {}


def test_a_parent_of_another_store_is_not_named(tracking: Tracking) -> None:
    with tracking.open_run("one", tags={}, parent="0" * 32) as run_id:
        pass
    assert PARENT_TAG not in tracking.client.get_run(run_id).data.tags


def test_runs_of_dead_processes_are_killed_and_others_are_left_alone(tracking: Tracking) -> None:
    # Given runs of a dead process, of this one, and of no process
    alive = ProcessIdentity.of_this_process().to_text()
    dead, mine, nobodys = (
        running(tracking, **tags) for tags in ({PROCESS_TAG: DEAD}, {PROCESS_TAG: alive}, {})
    )
    # When the dead ones are killed, Then only those of the dead process are
    assert tracking.kill_dead_runs() == 1
    assert [status(tracking, run) for run in (dead, mine, nobodys)] == [
        "KILLED", "RUNNING", "RUNNING",
    ]  # fmt: skip
    # And they are killed once
    assert tracking.kill_dead_runs() == 0


def test_who_is_alone_also_kills_what_mlflow_run_left_behind(tracking: Tracking) -> None:
    # Given two runs that `mlflow run` opened, one of them around this process
    left, around = (running(tracking, **{PROJECT_TAG: "main"}) for _ in range(2))
    # When this process is not alone, Then it lets both be; when it is, it kills the other one
    assert tracking.kill_dead_runs(around=around) == 0
    assert tracking.kill_dead_runs(around=around, alone=True) == 1
    assert (status(tracking, left), status(tracking, around)) == ("KILLED", "RUNNING")


def test_the_parent_of_a_killed_run_is_killed_with_it(tracking: Tracking) -> None:
    # Given a run around us that a training run called its parent
    around = running(tracking)
    with tracking.open_run("one", tags={}, parent=around):
        pass
    # When the process that did is dead
    tracking.client.set_tag(around, PROCESS_TAG, DEAD)
    # Then it is marked as killed though it has no identity of its own
    assert tracking.kill_dead_runs() == 1
    assert status(tracking, around) == "KILLED"


def test_a_metric_is_written_again_only_if_it_changed(tracking: Tracking) -> None:
    # Given a finished run with metrics
    with tracking.open_run("one", tags={}) as run_id:
        tracking.log_metrics(run_id, {"auc": 0.7, "ece": 0.01})
    # When they are set again, one of them to another value
    tracking.log_metrics(run_id, {"auc": 0.7, "ece": 0.02})
    # Then the run is as finished as before, and has one value of the one and two of the other
    history = {
        name: [each.value for each in tracking.client.get_metric_history(run_id, name)]
        for name in ("auc", "ece")
    }
    assert history == {"auc": [0.7], "ece": [0.01, 0.02]}
    assert tracking.client.get_run(run_id).data.metrics == {"auc": 0.7, "ece": 0.02}
    assert status(tracking, run_id) == "FINISHED"


def test_the_experiment_is_made_once_with_its_place(tracking: Tracking) -> None:
    first = tracking.experiment_id
    assert Tracking(tracking.store, "ontime").experiment_id == first
    place = tracking.client.get_experiment(first).artifact_location
    assert place.endswith("/artifacts/ontime")


def test_the_store_is_mlflows_own_only_while_a_run_is_open(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a caller that uses MLflow with another store, or with the default one
    for theirs in ("http://127.0.0.1:5000", None):
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        if theirs:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", theirs)
        # When a run is opened and ended, Then their store is theirs again
        with tracking.open_run("one", tags={}):
            assert mlflow.get_tracking_uri() == tracking.store
        assert os.environ.get("MLFLOW_TRACKING_URI") == theirs
        assert mlflow.get_tracking_uri() != tracking.store
