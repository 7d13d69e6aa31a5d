"""Two concurrent decisions: one succeeds, the other is refused, and all stores agree."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.release.verification import verify
from serving.models.release_document import read_release
from tests.pipelines.conftest import ROOT
from tests.pipelines.released import ReleasedHome

if TYPE_CHECKING:
    from tests.pipelines.conftest import Configure

SCRIPT = Path(__file__).with_name("racing.py")
ADA = ["--by", "Ada", "--reason", "better"]
BOB = ["--by", "Bob", "--reason", "much better"]
PROMOTE, ROLLBACK = ["release", "promote"], ["release", "rollback"]
STAGING = ["--version", "Staging"]
SLOW = pytest.mark.slow


@pytest.fixture
def where(request: pytest.FixtureRequest, configure: Configure, monkeypatch: Any) -> str:
    """Return where the artifact store is: at home, or in a bucket of the emulated S3."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    serving: dict[str, Any] = {}
    if request.param == "s3":
        bucket = f"ontime-{uuid.uuid4()}"
        request.getfixturevalue("aws").client("s3").create_bucket(Bucket=bucket)
        serving["store_uri"] = f"s3://{bucket}/prod"
    configure(operations={"rollout": "direct"}, serving=serving)
    return str(request.param)


@pytest.fixture
def released(where: str, home: Path, empty_store: Path) -> ReleasedHome:
    """Return a home with two champions, one after the other, and a challenger."""
    assert where in {"folder", "s3"}
    made = ReleasedHome(home, empty_store)
    made.champion()
    made.champion()
    made.on_trial()
    return made


def race(folder: Path, *commands: list[str]) -> dict[str, subprocess.Popen[str]]:
    """Run two commands that meet at their first entry; return them when both have ended."""
    folder.mkdir()
    running = {}
    for name, other, command in zip(("ada", "bob"), ("bob", "ada"), commands, strict=True):
        running[name] = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), name, other, *command],
            env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    return running


@pytest.mark.parametrize(
    ("ada", "bob"),
    [
        ([*PROMOTE, *STAGING, *ADA], [*PROMOTE, *STAGING, *BOB]),
        pytest.param([*ROLLBACK, *ADA], [*ROLLBACK, *BOB], marks=SLOW),
        pytest.param([*PROMOTE, *STAGING, *ADA], [*ROLLBACK, *BOB], marks=SLOW),
        pytest.param([*PROMOTE, *STAGING, *ADA], ["release", "reject", *BOB], marks=SLOW),
    ],
    ids=["two promotions", "two rollbacks", "promotion and rollback", "promotion and rejection"],
)
@pytest.mark.parametrize(
    "where", ["folder", pytest.param("s3", marks=[pytest.mark.aws, SLOW])], indirect=True
)
def test_one_succeeds_the_other_is_refused_and_all_stores_agree(
    released: ReleasedHome, tmp_path: Path, ada: list[str], bob: list[str]
) -> None:
    # Given two processes that decided on the same ledger
    before = released.ledger
    running = race(tmp_path / "meeting", ada, bob)
    # When both record their decision at the same moment
    outputs = {name: process.communicate(timeout=200) for name, process in running.items()}
    codes = {name: process.returncode for name, process in running.items()}
    assert sorted(codes.values()) == [0, 1], outputs
    # Then one entry was added, by the winner
    (entry,) = released.ledger.entries[len(before.entries) :]
    winner, loser = sorted(codes, key=lambda name: codes[name])
    assert entry.by.lower() == winner
    # And the other's error is one sentence that names who was first
    error = outputs[loser][1]
    assert "Somebody else decided first, so version" in error
    assert entry.summary() in error
    # And ledger, release document, packages, registry and aliases agree
    context = released.context
    checks = verify(context.artifacts, context.registry, "ontime")
    assert [check for check in checks if not check.holds] == []
    release = read_release(context.artifacts)
    assert release is not None
    assert entry.release is not None
    assert release.document.champion == entry.release.champion
