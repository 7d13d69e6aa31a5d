from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from pipelines.runtime.dead_runs import end_dead_runs, kill_remembered, remember_kill
from training.tracking.processes import ProcessIdentity
from training.tracking.tracking_store import PROCESS_TAG, PROJECT_TAG, Tracking

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.pipelines.conftest import Recorded


def test_a_kill_is_remembered_until_its_runs_are_ended(recorded: Recorded) -> None:
    # Given
    home: Path = recorded.context.settings.home
    home.mkdir(exist_ok=True)
    assert not kill_remembered(home)
    # When
    remember_kill(home)
    remember_kill(home)
    # Then
    assert kill_remembered(home)
    assert end_dead_runs(recorded.context) == 0
    assert not kill_remembered(home)


def test_runs_of_killed_processes_are_marked_and_living_ones_are_not(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given runs of a dead process, of this one, a project run left behind, and the one around us
    tracking: Tracking = recorded.context.tracking
    client = tracking.client
    dead = json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1, "started": ""})
    alive = ProcessIdentity.of_this_process().to_text()
    runs = {
        name: client.create_run(tracking.experiment_id, tags=tags).info.run_id
        for name, tags in {
            "dead": {PROCESS_TAG: dead},
            "alive": {PROCESS_TAG: alive},
            "left": {PROJECT_TAG: "main"},
            "around": {PROJECT_TAG: "main"},
            "foreign": {},
        }.items()
    }
    monkeypatch.setenv("MLFLOW_RUN_ID", runs["around"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.store)
    # When
    assert end_dead_runs(recorded.context) == 2
    # Then those that cannot be alive are marked as killed
    status = {name: client.get_run(run_id).info.status for name, run_id in runs.items()}
    assert status == {
        "dead": "KILLED",
        "alive": "RUNNING",
        "left": "KILLED",
        "around": "RUNNING",
        "foreign": "RUNNING",
    }
