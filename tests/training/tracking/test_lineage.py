"""A model's lineage names the code that trained it, and survives a round trip."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec

from training.tracking.lineage import (
    CodeLineage,
    Lineage,
    SourceLineage,
    TableLineage,
    code_lineage,
    from_json,
    machine_lineage,
    to_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def clone(folder: Path) -> Path:
    """Return a clone with a lock and one commit."""
    (folder / "requirements").mkdir()
    (folder / "requirements" / "run.txt").write_text("a==1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_clone_is_named_by_its_commit_and_its_lock(tmp_path: Path) -> None:
    # Given a clone without changes
    folder = clone(tmp_path)
    # When its code is identified, Then commit and lock name it
    lock = hashlib.sha256(b"a==1\n").hexdigest()
    assert code_lineage(folder) == CodeLineage(
        git(folder, "rev-parse", "HEAD"), changed=False, lock_sha256=lock
    )


def test_changes_since_the_commit_are_recorded(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    (folder / "requirements" / "run.txt").write_text("a==2\n")
    found = code_lineage(folder)
    assert found.changed
    assert found.changes == ("requirements/run.txt",)


def test_uncommitted_code_is_a_change_and_a_note_beside_it_is_not(
    tmp_path: Path,
) -> None:
    # Given a clone with a new module, and a new file that no stage runs
    folder = clone(tmp_path)
    (folder / "NOTES.md").write_text("no code")
    assert not code_lineage(folder).changed
    (folder / "features").mkdir()
    (folder / "features" / "new.py").write_text("x = 1\n")
    # Then only the module counts
    assert code_lineage(folder).changes == ("features/new.py",)


def test_outside_a_clone_nothing_is_made_up(tmp_path: Path) -> None:
    assert code_lineage(tmp_path) == CodeLineage("unknown", changed=False, lock_sha256="unknown")


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clone(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert code_lineage(folder).commit == "unknown"


def test_it_survives_a_round_trip() -> None:
    table = TableLineage("gold", "file:///gold", 3, "ab" * 32, 10)
    code = CodeLineage("c", changed=True, lock_sha256="d")
    made = Lineage(
        "f",
        {"b": "2", "a": "1"},
        table,
        120,
        {"train": 7, "validate": 3},
        code,
        sources=(SourceLineage("flights", "flights.csv", "e"),),
        settings={"training": {"model": {"seed": 0}}},
        feature_hash="a",
        machine=machine_lineage(),
    )
    assert from_json(to_json(made)) == made


def test_a_lineage_without_sources_and_settings_can_be_read() -> None:
    table = TableLineage("gold", "file:///gold", 3, "ab" * 32, 10)
    whole = Lineage("f", {}, table, 120, {}, CodeLineage("c", changed=False, lock_sha256="d"))
    older = msgspec.json.decode(to_json(whole))
    for name in ("sources", "settings", "feature_hash", "machine"):
        del older[name]
    assert from_json(msgspec.json.encode(older)) == whole
