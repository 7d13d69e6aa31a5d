"""Many processes append to one ledger: nothing is lost, nothing is twice, the chain is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest

from operations.ledger.ledger import read_ledger
from serving.stores.opening import open_artifact_store

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("appending.py")
PROCESSES, DECISIONS = 4, 6


@pytest.fixture
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    bucket = f"ontime-{uuid.uuid4()}"
    request.getfixturevalue("aws").client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/ledger-of-many"


@pytest.mark.parametrize(
    "uri", ["folder", pytest.param("s3", marks=pytest.mark.aws)], indirect=True
)
def test_every_decision_of_every_process_is_in_the_chain_once(uri: str) -> None:
    # Given processes that decide as fast as they can, on one store
    running = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), uri, f"p{number}", str(DECISIONS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    # When all have ended
    for process in running:
        _, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
    # Then the chain holds every decision once (reading it verifies it)
    entries = read_ledger(open_artifact_store(uri)).entries
    assert Counter(entry.version for entry in entries) == Counter(
        f"p{process}-{number}" for process in range(PROCESSES) for number in range(DECISIONS)
    )
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
