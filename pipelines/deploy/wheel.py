"""Builds the wheel that a Databricks job installs: packages and conf/; same commit, same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from ontime_base.errors import OntimeError
from training.tracking.lineage import BUILD_FILE, code_lineage

ROOT: Final = Path(__file__).resolve().parents[2]
_BESIDE: Final = ("pyproject.toml", "README.md", "LICENSE")
_BUILD: Final = (
    "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
)
# The earliest instant that a zip file can store; the commit is in conf/build.json.
_EPOCH: Final = "315532800"


class WheelError(OntimeError):
    """The wheel could not be built."""


def build_wheel(target: Path, root: Path = ROOT) -> Path:
    """Build the wheel of a clone, and return its path.

    It holds what is in the folders of the packages now, and `conf/build.json`: the commit, whether
    files of it were changed, and the checksum of the lock. Nothing in it depends on when or where
    it was built.

    Args:
        target: The folder it is written to; wheels that it has already are removed.
        root: The clone.

    Raises:
        WheelError: There is no clone here, or setuptools refuses it.
    """
    if not (root / "pyproject.toml").is_file():
        raise WheelError(f"There is no pyproject.toml in {root}: build the wheel from a clone.")
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("ontime_flights-*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _copy(root, tree)
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", _BUILD, str(target.resolve())],
            cwd=tree,
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise WheelError(f"setuptools could not build the wheel of {root}: {last}")
    return target / done.stdout.strip().splitlines()[-1]


def _copy(root: Path, tree: Path) -> None:
    """Copy what the wheel is made of, with modes that do not depend on the clone's."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["setuptools"]["packages"]
    ignored = shutil.ignore_patterns("__pycache__", ".*", BUILD_FILE)
    for name in {package.split(".")[0] for package in packages}:
        shutil.copytree(root / name, tree / name, ignore=ignored)
    for name in _BESIDE:
        shutil.copyfile(root / name, tree / name)
    code = code_lineage(root)
    facts = {"commit": code.commit, "changed": code.changed, "lock_sha256": code.lock_sha256}
    (tree / "conf" / BUILD_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
