"""A version is rebuilt from its lineage and compared; in a slow test by a real clone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipelines.proofs.rebuild import FILES, Rebuilt
from pipelines.proofs.retrain import RetrainDiffersError, compare, retrain_version
from tests.pipelines.conftest import ROOT, Recorded
from training.registry.model_registry import RegisteredVersion
from training.tracking import lineage as lineages
from training.tracking.lineage import CodeLineage, Lineage, SourceLineage, TableLineage

LINEAGE = Lineage(
    fingerprint="f",
    parts={},
    table=TableLineage("gold_features_h120", "file:///gold", 1, "ab" * 32, 10),
    horizon_min=120,
    flights={},
    code=CodeLineage("c" * 40, changed=False, lock_sha256="d" * 64),
    sources=(SourceLineage("flights", "f.csv", "e"),),
    settings={"training": {}},
)
EXPORTED = {name: name.encode() for name in FILES}


class RegistryOfOne:
    """Stands for a registry with one version, whose lineage is `LINEAGE`."""

    def versions(self) -> tuple[RegisteredVersion, ...]:
        return (self.resolve("1"),)

    def resolve(self, word: str) -> RegisteredVersion:
        assert word in {"champion", "1"}
        return RegisteredVersion("1", "run-1", "f", 0, ("champion",))

    def files(self, version: str, names: tuple[str, ...]) -> dict[str, bytes]:
        assert (version, names) == ("1", FILES)
        return EXPORTED


class RunWithLineage:
    """Stands for a tracking store whose run has the lineage file."""

    @property
    def client(self) -> RunWithLineage:
        return self

    def download_artifacts(self, run_id: str, path: str, folder: str) -> str:
        assert (run_id, path) == ("run-1", "lineage.json")
        file = Path(folder, path)
        file.write_bytes(lineages.to_json(LINEAGE))
        return str(file)


@pytest.fixture
def registered(recorded: Recorded) -> Recorded:
    """Return a context in whose registry there is one version."""
    recorded.context = recorded.context.using(registry=RegistryOfOne(), tracking=RunWithLineage())
    return recorded


def retrained_as(registered: Recorded, rebuilt: Rebuilt) -> None:
    """Retrain the champion where a rebuild has this result."""
    retrain_version(registered.context, rebuild_from=lambda *_: rebuilt)


def figures_of(recorded: Recorded) -> dict[str, object]:
    path = recorded.context.settings.home / "figures" / "retrain.json"
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_the_same_bits_are_reported_as_the_same(registered: Recorded) -> None:
    # Given a version whose retraining gives the same / When it is retrained
    retrained_as(registered, Rebuilt(LINEAGE, EXPORTED, {"ingest": 1.0}))
    # Then the figures report it
    figures = figures_of(registered)
    assert figures["same_hash"] is figures["same_gold"] is True
    assert figures["onnx_sha256"] == hashlib.sha256(b"model.onnx").hexdigest()


def test_a_difference_is_named_and_is_an_error(registered: Recorded) -> None:
    # Given another feature table and so another model
    other = msgspec.structs.replace(
        LINEAGE, table=msgspec.structs.replace(LINEAGE.table, content_hash="ff" * 32)
    )
    rebuilt = Rebuilt(other, EXPORTED | {"model.onnx": b"other"}, {})
    # When it is compared / Then both are named, and the figures are written all the same
    with pytest.raises(RetrainDiffersError, match=r"differs in gold content, model\.onnx"):
        retrained_as(registered, rebuilt)
    figures = figures_of(registered)
    assert figures["same_hash"] is figures["same_gold"] is False
    assert figures["same_contract"] is True


def test_all_that_decides_is_compared() -> None:
    rows = compare(LINEAGE, EXPORTED, Rebuilt(LINEAGE, EXPORTED, {}))
    assert all(row.same for row in rows)
    assert {"commit", "lock", "gold content", "features", *FILES} <= {row.name for row in rows}


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_a_registered_version_is_rebuilt_bit_for_bit(tmp_path: Path, small_conf: Path) -> None:
    # Given this code, committed, and a version trained from it on two weeks of the real data
    repository = committed(tmp_path / "repository")
    run(repository, tmp_path / "home", small_conf, "run")
    # When it is retrained, its tables deleted, with another number of threads
    shutil.rmtree(tmp_path / "home" / "tables")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        output = run(repository, tmp_path / "home", small_conf, "prove", "retrain")
    finally:
        del os.environ["OMP_NUM_THREADS"]
    # Then feature table and model are the same, bit for bit
    figures = json.loads((tmp_path / "home" / "figures" / "retrain.json").read_text())
    assert figures["same_hash"] is True, output
    assert figures["same_gold"] is True
    # And nothing is left of the clone
    assert not list((tmp_path / "home").glob("retrain-*"))


def committed(folder: Path) -> Path:
    """Return a repository with the files of this one, committed as they are now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return folder


def run(repository: Path, home: Path, conf: Path, *command: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *command],
        cwd=repository,
        env=clean | {"ONTIME_HOME": str(home), "ONTIME_CONF": str(conf), "ONTIME_ENV": "dev"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
