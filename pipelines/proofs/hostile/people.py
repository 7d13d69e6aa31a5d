"""What people type stays text, and a rollback always works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.decisions import Decisions, Interventions
from operations.release.reconciliation import follow_with_document
from pipelines.proofs.hostile.running import require
from serving.models.model_package import read_model_package, write_model_package
from serving.models.release_document import ReleasedVersion, read_release
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger
    from pipelines.proofs.hostile.world import World

_ROOT: Final = Path(__file__).resolve().parents[3]
_FORGED: Final = "Ada\n    9  2026-01-01 00:00:00  promoted     9  Eve  approved"
_MODEL: Final = "ontime"


def a_name_or_reason_that_would_forge_output_is_refused(world: World) -> None:
    """Line feeds, terminal escapes, empty names and the pipeline's own name are refused."""
    home = world.new_home()
    before = len(_ledger(home).entries)
    for by, reason in ((_FORGED, "why"), ("Ada", "\x1b[2Kwhy"), (" ", "why"), ("Pipeline", "why")):
        ended = _run(home, "release", "rollback", "--by", by, "--reason", reason)
        require(ended.returncode == 1, f"{by!r}: exit code {ended.returncode}")
        require(_is_plain(ended.stderr), f"a line was forged: {ended.stderr!r}")
    require(len(_ledger(home).entries) == before, "an entry was recorded")


def a_name_in_an_older_entry_forges_no_row(world: World) -> None:
    """An entry with a line feed and an escape in its name is one row of `ledger show`."""
    home = world.new_home()
    store = FolderArtifactStore(home / "store")
    _second_champion(store)
    forged = Interventions(store=store, model=_MODEL, by=f"{_FORGED}\x1b[2K")
    forged.roll_back(reason="why")
    shown = _run(home, "release", "ledger", "show").stdout
    rows = shown.splitlines()
    require(len(rows) == len(_ledger(home).entries) + 1, f"there are {len(rows)} rows")
    require(_is_plain(shown), "an escape reached the terminal")


def a_rollback_works_without_its_registry(world: World) -> None:
    """With the registry lost and files of others under ledger/, the champion before answers."""
    home = world.new_home()
    store = FolderArtifactStore(home / "store")
    before = _second_champion(store)
    for name in ("notes.txt", "00000001 (copy).json", "00000999.json"):
        (home / "store" / "ledger" / name).write_text("{}", encoding="utf-8")
    with world.own_service(home=home) as service:
        require(service.get("/model").json()["version"] == "999", "it does not answer before")
        ended = _run(home, "release", "rollback", "--by", "Ada", "--reason", "false alarms")
        require(ended.returncode == 0, ended.stderr)
        released = read_release(store)
        require(
            released is not None and released.document.champion == before,
            "the release document has another champion",
        )
        answer = service.post("/model/load", {"version": before.version})
        require(answer.json()["version"] == before.version, str(answer))


def the_line_of_an_api_key_can_be_pasted_into_a_shell(world: World) -> None:
    """A name with quotes makes a line that a shell reads as it was typed."""
    name = 'O\'Brien "$(id)"'
    made = _run(world.pristine, "api-key", name, "--scope", "events")
    line = made.stdout.splitlines()[-1].strip()
    command = f'{line}; printf %s "$ONTIME_API_KEYS"'
    read = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)  # noqa: S603 - our own line
    require(list(json.loads(read.stdout)) == [name], read.stdout.decode())


def _second_champion(store: FolderArtifactStore) -> ReleasedVersion:
    """Make a copy of the champion the champion, as version 999; return the one before."""
    before = state_at(read_ledger(store).entries).release.champion
    require(before, "there is no champion")
    assert before  # noqa: S101 - as just required
    package = read_model_package(store, model_name=_MODEL, version=before.version)
    manifest = write_model_package(
        store,
        model_name=_MODEL,
        version="999",
        run_id=package.manifest.run_id,
        created_at=package.manifest.created_at,
        files=package.files,
    )
    pipeline = Decisions(store=store, model=_MODEL, by="pipeline")
    pipeline.gated("999", passed=True, reasons=(), figures={})
    version = ReleasedVersion("999", manifest)
    pipeline.published(version)
    pipeline.promoted(version, rollout="direct", reason="gates passed")
    follow_with_document(store)
    return before


def _ledger(home: Path) -> Ledger:
    return read_ledger(FolderArtifactStore(home / "store"))


def _is_plain(text: str) -> bool:
    return all(line.isprintable() for line in text.splitlines()) and "\x1b" not in text


def _run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=_ROOT,
        env={**os.environ, "ONTIME_HOME": str(home), "ONTIME_ENV": "prod"},
        capture_output=True,
        text=True,
        check=False,
    )
