"""What a model was made from: enough to make it again, kept with its run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

_ROOT: Final = Path(__file__).resolve().parent.parent
_LOCK: Final = _ROOT / "requirements" / "run.txt"
BUILD_FILE: Final = "build.json"
"""In conf/ of an installed wheel: which code it was built from."""
_UNKNOWN: Final = "unknown"


class TableLineage(msgspec.Struct, frozen=True):
    """A table as a run read it.

    Attributes:
        name: Of the table.
        uri: Where it is.
        version: The Delta version that was read.
        content_hash: SHA-256 of its content, whatever its files and their order.
        rows: How many it has.
    """

    name: str
    uri: str
    version: int
    content_hash: str
    rows: int


class CodeLineage(msgspec.Struct, frozen=True):
    """The code that ran.

    Attributes:
        commit: The git commit; `unknown` outside a clone.
        changed: Whether files of that commit were changed.
        lock_sha256: Checksum of the lock of the libraries; `unknown` without one.
    """

    commit: str
    changed: bool
    lock_sha256: str


class Lineage(msgspec.Struct, frozen=True):
    """What a model was made from.

    Attributes:
        fingerprint: Checksum of all that decides the result: the same one means the same model.
        parts: What the fingerprint is made of, by name: sources, code, libraries, configuration.
        table: The feature table.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        flights: Labelled flights of the train and validate parts.
        code: The code.
    """

    fingerprint: str
    parts: dict[str, str]
    table: TableLineage
    horizon_min: int
    flights: dict[str, int]
    code: CodeLineage


def code_lineage(root: Path = _ROOT) -> CodeLineage:
    """Return which code runs now.

    Args:
        root: The clone; by default the one this file is in. Without one, the wheel tells.
    """
    built = root / "conf" / BUILD_FILE
    if built.is_file():
        return msgspec.json.decode(built.read_bytes(), type=CodeLineage)
    commit = _git(root, "rev-parse", "HEAD")
    changed = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    lock = root / _LOCK.relative_to(_ROOT)
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else _UNKNOWN
    return CodeLineage(commit or _UNKNOWN, changed, checksum)


def to_json(lineage: Lineage) -> bytes:
    """Return the lineage as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(lineage, order="deterministic"), indent=2)


def from_json(data: bytes) -> Lineage:
    """Return a lineage read from JSON."""
    return msgspec.json.decode(data, type=Lineage)


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints; nothing if there is no git or no clone."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return done.stdout.strip() if done.returncode == 0 else ""
