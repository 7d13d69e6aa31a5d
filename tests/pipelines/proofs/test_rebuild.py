"""The parts of a rebuild that need no Spark, on a real git repository and real source files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pipelines.proofs.rebuild import (
    STAGES,
    RebuildError,
    clone_at,
    python_for,
    run_stages,
    stage_command,
    stage_sources,
    validate_lineage,
    write_conf,
)
from pipelines.settings import load_settings
from pipelines.train import settings_of_result
from tests.pipelines.conftest import ROOT
from training.tracking.lineage import CodeLineage, Lineage, SourceLineage, TableLineage

if TYPE_CHECKING:
    from collections.abc import Sequence

FLIGHTS = b"year,month,day\n2013,1,1\n"
OLD_PROJECT = """
entry_points:
  ingest:
    parameters:
      environment: {type: string, default: auto}
      force: {type: string, default: "no"}
      from: {type: string, default: ""}
      reason: {type: string, default: gates passed}
    command: >-
      python -m pipelines.ingest --environment {environment} --force {force} --from {from}
      --reason {reason}
  train:
    command: ontime train
"""


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def lineage_of(
    *sources: SourceLineage, places: Sequence[str] = (), code: CodeLineage | None = None
) -> Lineage:
    settings = settings_of_result(load_settings("dev"))
    settings["sources"]["flights"] = list(places)
    return Lineage(
        fingerprint="f",
        parts={},
        table=TableLineage("gold_features_h120", "file:///gold", 1, "ab" * 32, 10),
        horizon_min=120,
        flights={},
        code=code or CodeLineage("c" * 40, changed=False, lock_sha256="d" * 64),
        sources=sources,
        settings=settings,
    )


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a lock, and a commit that no branch reaches."""
    folder = tmp_path / "repository"
    (folder / "requirements").mkdir(parents=True)
    (folder / "requirements" / "run.txt").write_text("a==1\n")
    git(folder.parent, "init", "-q", "repository")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "requirements" / "run.txt").write_text("a==2\n")
    git(folder, "commit", "-qam", "second")
    return folder


# ------------------------------------------------------------------------------- is it complete?


def test_a_complete_lineage_is_accepted() -> None:
    validate_lineage(lineage_of(SourceLineage("flights", "f.csv", "e")), "1")


def test_code_that_was_not_committed_is_refused_by_name() -> None:
    code = CodeLineage("c" * 40, changed=True, lock_sha256="d", changes=("features/new.py",))
    with pytest.raises(RebuildError, match=r"uncommitted changes \(features/new\.py\)"):
        validate_lineage(lineage_of(SourceLineage("flights", "f.csv", "e"), code=code), "1")


def test_what_is_missing_is_named() -> None:
    outside = CodeLineage("unknown", changed=False, lock_sha256="unknown")
    with pytest.raises(RebuildError, match="no commit and no lock_sha256"):
        validate_lineage(lineage_of(SourceLineage("flights", "f.csv", "e"), code=outside), "1")
    with pytest.raises(RebuildError, match="lacks its sources"):
        validate_lineage(lineage_of(), "1")


# ----------------------------------------------------------------------------------- the code


def test_any_commit_is_cloned_also_one_that_no_branch_reaches(
    repository: Path, tmp_path: Path
) -> None:
    # Given a commit that was reset
    gone = git(repository, "rev-parse", "HEAD")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    # When it is cloned / Then the clone is at it, and clean
    clone_at(repository, gone, tmp_path / "clone")
    assert git(tmp_path / "clone", "rev-parse", "HEAD") == gone
    assert git(tmp_path / "clone", "status", "--porcelain") == ""
    assert (tmp_path / "clone" / "requirements" / "run.txt").read_text() == "a==2\n"


def test_a_commit_that_is_not_here_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(RebuildError, match=f"Commit {'1' * 40} cannot be checked out"):
        clone_at(repository, "1" * 40, tmp_path / "clone")


def test_this_environment_is_used_only_if_its_lock_is_the_recorded_one(
    repository: Path, tmp_path: Path
) -> None:
    def of(body: bytes) -> Lineage:
        return lineage_of(code=CodeLineage("c", changed=False, lock_sha256=sha256(body)))

    clone_at(repository, "HEAD", tmp_path / "now")
    clone_at(repository, "HEAD~1", tmp_path / "then")
    # Given a clone with our lock / Then our Python runs it
    now = python_for(tmp_path / "now", repository, of(b"a==2\n"), print)
    assert now == Path(sys.executable)
    # Given one with another lock / Then its environment is built, here in vain
    with pytest.raises(RebuildError, match=r"install\.sh run` failed in the clone"):
        python_for(tmp_path / "then", repository, of(b"a==1\n"), print)
    # Given one whose lock is not the recorded one / Then it is refused
    with pytest.raises(RebuildError, match="one of the two was changed"):
        python_for(tmp_path / "then", repository, of(b"a==2\n"), print)


# -------------------------------------------------------------------------------- the sources


def test_sources_are_found_by_checksum_among_all_places(tmp_path: Path) -> None:
    # Given two recorded files, one renamed since, in a folder with a newer one; one in conf/
    there, conf = tmp_path / "in", tmp_path / "conf"
    there.mkdir()
    conf.mkdir()
    (there / "renamed.csv").write_bytes(FLIGHTS)
    (there / "newer.csv").write_bytes(b"other")
    (conf / "more.csv").write_bytes(b"more")
    recorded = (
        SourceLineage("flights", "flights.csv", sha256(FLIGHTS)),
        SourceLineage("flights", "more.csv", sha256(b"more")),
    )
    lineage = lineage_of(*recorded, places=[str(there), "conf:more.csv"])
    # When they are staged
    places = stage_sources(lineage, conf, tmp_path / "staged")
    # Then just those two exist, by their recorded names
    files = [path for place in places["flights"] for path in Path(place).iterdir()]
    assert {path.name: path.read_bytes() for path in files} == {
        "flights.csv": FLIGHTS,
        "more.csv": b"more",
    }


@pytest.mark.parametrize(
    ("now", "problem"), [(b"x", "has another one now"), (None, "the file is missing")]
)
def test_a_changed_or_deleted_source_is_named(
    tmp_path: Path, now: bytes | None, problem: str
) -> None:
    place = tmp_path / "flights.csv"
    if now is not None:
        place.write_bytes(now)
    recorded = SourceLineage("flights", "flights.csv", sha256(FLIGHTS))
    with pytest.raises(RebuildError, match=rf"flights: flights\.csv had checksum .* {problem}"):
        stage_sources(lineage_of(recorded, places=[str(place)]), tmp_path, tmp_path / "staged")


# --------------------------------------------------------------------------- the configuration


def test_the_configuration_is_the_recorded_one_with_the_memory_of_this_machine(
    tmp_path: Path,
) -> None:
    # Given a clone of this configuration, and a lineage with another horizon and seed
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "conf", clone / "conf")
    lineage = lineage_of()
    lineage.settings["features"]["horizon_min"] = 30
    lineage.settings["training"]["model"]["hist_gradient_boosting"]["seed"] = 7
    # When it is written over the clone's
    spark = {"driver_memory": "1g", "a_setting_of_later": True}
    conf = write_conf(lineage, clone, sources={"flights": ["/a", "/b"]}, spark=spark)
    # Then the clone reads it
    settings = load_settings("dev", conf)
    assert settings.features.horizon_min == 30
    assert settings.training.model.parameters.seed == 7
    assert settings.sources.flights == ("/a", "/b")
    assert settings.spark.driver_memory == "1g"
    # And of this machine's own settings none decides
    recorded, read = lineage.settings, settings_of_result(settings)
    assert read["training"] == recorded["training"]
    assert "tracking_uri" not in recorded["training"]


def test_a_stage_that_fails_is_reported_with_the_end_of_its_output(tmp_path: Path) -> None:
    # Given a clone whose first stage fails
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "ingest.py").write_text("raise SystemExit('no disk')")
    (tmp_path / "MLproject").write_text(OLD_PROJECT)
    # Then the end of its output is in the error
    failed = r"pipelines\.ingest .*` failed in the clone.*\n.*no disk"
    with pytest.raises(RebuildError, match=failed):
        run_stages(
            Path(sys.executable), tmp_path, conf=tmp_path, home=tmp_path / "home", report=print
        )


def test_a_stage_is_run_by_the_command_that_its_own_commit_has_for_it(tmp_path: Path) -> None:
    # Given a clone of a time when stages were other modules, or were run by a console script
    (tmp_path / "MLproject").write_text(OLD_PROJECT)
    python = Path("/environment/bin/python")
    # Then its MLproject decides the command, with its defaults
    assert stage_command(tmp_path, "ingest", python) == [
        *("/environment/bin/python", "-m", "pipelines.ingest"),
        *("--environment", "dev", "--force", "no", "--from", "", "--reason", "gates passed"),
    ]
    assert stage_command(tmp_path, "train", python) == ["/environment/bin/ontime", "train"]
    # And a commit without it is refused
    with pytest.raises(RebuildError, match="no entry point 'build_features'"):
        stage_command(tmp_path, "build_features", python)


def test_every_stage_that_is_rebuilt_is_an_entry_point_of_this_code() -> None:
    for stage in STAGES:
        command = stage_command(ROOT, stage, Path(sys.executable))
        assert command[0] == sys.executable
        assert not any("{" in word for word in command)


def test_a_lineage_is_data() -> None:
    lineage = lineage_of(SourceLineage("flights", "f.csv", "e"))
    assert msgspec.json.decode(msgspec.json.encode(lineage), type=Lineage) == lineage
