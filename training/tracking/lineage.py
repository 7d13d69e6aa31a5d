"""The lineage of a model: everything needed to retrain it, stored with its run."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec

_ROOT: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = _ROOT / "requirements" / "run.txt"
BUILD_FILE: Final = "build.json"
"""In conf/ of an installed wheel: which code it was built from."""
_UNKNOWN: Final = "unknown"
# What runs: a change elsewhere (conf/ is recorded as settings) makes no other model.
_CODE: Final = (
    "features",
    "training",
    "serving",
    "operations",
    "pipelines",
    "requirements",
    "conf/mappings",
)


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
        changed: Whether code or lock differ from that commit: such code is stored nowhere.
        lock_sha256: Checksum of the lock of the libraries; `unknown` without one.
        changes: The files that differ.
    """

    commit: str
    changed: bool
    lock_sha256: str
    changes: tuple[str, ...] = ()


class SourceLineage(msgspec.Struct, frozen=True, order=True):
    """A source file that was ingested.

    Attributes:
        source: What it holds: flights, weather, ...
        name: Its name, without folders.
        sha256: Checksum of its bytes.
    """

    source: str
    name: str
    sha256: str


class MachineLineage(msgspec.Struct, frozen=True):
    """The machine it ran on. Results are equal for any number of threads, not for any processor.

    Attributes:
        python: Version of Python.
        system: System and processor, such as `Linux x86_64`.
        processors: How many it had, which is also the number of threads.
    """

    python: str = _UNKNOWN
    system: str = _UNKNOWN
    processors: int = 0


class Lineage(msgspec.Struct, frozen=True):
    """The lineage of a model.

    Attributes:
        fingerprint: Checksum of all that decides the result: the same one means the same model.
        parts: What the fingerprint is made of, by name: sources, code, libraries, configuration.
        table: The feature table.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        flights: Labelled flights of the train and validate parts.
        code: The code.
        sources: The source files in bronze; none in a lineage from before they were recorded.
        settings: The configuration that decides the result, by section; likewise.
        feature_hash: Checksum of the declarations of the model's features.
        machine: Where it ran.
        silver: The silver tables that the feature table was made from.
    """

    fingerprint: str
    parts: dict[str, str]
    table: TableLineage
    horizon_min: int
    flights: dict[str, int]
    code: CodeLineage
    sources: tuple[SourceLineage, ...] = ()
    settings: dict[str, Any] = {}
    feature_hash: str = ""
    machine: MachineLineage = MachineLineage()
    silver: tuple[TableLineage, ...] = ()


def code_lineage(root: Path = _ROOT) -> CodeLineage:
    """Return which code runs now.

    Args:
        root: The clone; by default the one this file is in. Without one, the wheel names it.
    """
    built = root / "conf" / BUILD_FILE
    if built.is_file():
        return msgspec.json.decode(built.read_bytes(), type=CodeLineage)
    commit = _git(root, "rev-parse", "HEAD")
    status = ("status", "--porcelain", "--untracked-files=all", "--no-renames", "--", *_CODE)
    changes = tuple(line[3:] for line in _git(root, *status).splitlines())
    lock = root / _LOCK.relative_to(_ROOT)
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else _UNKNOWN
    return CodeLineage(commit or _UNKNOWN, bool(changes), checksum, changes)


def machine_lineage() -> MachineLineage:
    """Return what this process runs on."""
    system = f"{platform.system()} {platform.machine()}"
    return MachineLineage(platform.python_version(), system, os.cpu_count() or 0)


def to_json(lineage: Lineage) -> bytes:
    """Return the lineage as JSON."""
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
    return done.stdout.rstrip() if done.returncode == 0 else ""
