"""Killed between any two writes, and run again: the state of an undisturbed run; never a half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pipelines.conftest import ROOT

if TYPE_CHECKING:
    from tests.pipelines.conftest import Policy

SCRIPT = Path(__file__).with_name("killing.py")
WRITES = {
    "register 1": 7,  # the record away, model, version, two entries, alias, the record
    "publish 1": 9,  # the record away, five objects, entry, document, the record
    "approve 1": 1,
    "roll out 1": 2,
    "promote 1": 6,  # the record away, entry, document, two aliases, the record
    "approve and promote 2": 5,
    "roll back to 1": 3,
    "reject 3": 3,
}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_at_every_write_and_run_again_the_state_is_that_of_an_undisturbed_run(
    tmp_path: Path, policy: Policy
) -> None:
    # Given commands that register, publish, approve, roll out, promote, roll back and reject
    policy(rollout="gradual", approval="required")
    # When each is killed before and after each of its writes, and run again
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    # Then ledger, document, aliases, versions, packages and records are as without the kill
    assert {name: found["wrong"] for name, found in report.items() if found["wrong"]} == {}
    # And kills there were, at as many writes as there must be
    writes = {name: found["writes"] for name, found in report.items()}
    assert {name: writes[name] for name in WRITES} == WRITES
