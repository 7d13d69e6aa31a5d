"""The bundle of the function: from the lock and our Spark-free packages, reproducible in bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from benchmarks.lambda_runtime import copy_installed
from pipelines.cli import execute
from pipelines.deploy.lambda_bundle import (
    LIBRARIES,
    PLATFORMS,
    ROOT,
    Bundle,
    BundleError,
    add_code,
    compile_all,
    locked,
    require_size,
    trim,
    write_zip,
)

if TYPE_CHECKING:
    from pathlib import Path


HANDLERS = sorted((ROOT / "serving" / "lambdas").glob("*_handler.py"))


def code_zip(folder: Path) -> Path:
    tree = folder / "tree"
    tree.mkdir(parents=True)
    add_code(tree)
    trim(tree)
    compile_all(tree)
    write_zip(tree, folder / "code.zip")
    return folder / "code.zip"


def test_the_same_code_is_the_same_zip(tmp_path: Path) -> None:
    one, other = (code_zip(tmp_path / name).read_bytes() for name in ("one", "other"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest()


def test_it_holds_our_packages_with_bytecode_that_is_not_checked(tmp_path: Path) -> None:
    with zipfile.ZipFile(code_zip(tmp_path)) as archive:
        names = archive.namelist()
        bytecode = archive.read("serving/inference/__pycache__/predictor.cpython-311.pyc")
    assert {name.split("/")[0] for name in names} == {"ontime_base", "features", "serving"}
    assert names == sorted(names)
    # Flags of PEP 552: by hash, unchecked
    assert int.from_bytes(bytecode[4:8], "little") == 1
    assert b"/var/task/serving/inference/predictor.py" in bytecode


def test_every_handler_can_be_imported_with_only_the_bundle(
    tmp_path: Path,
) -> None:
    # Given the code and the libraries of the bundle, as installed here
    add_code(tmp_path)
    copy_installed(tmp_path, LIBRARIES)
    handlers = [f"serving.lambdas.{path.stem}" for path in HANDLERS]
    assert "serving.lambdas.api_handler" in handlers
    # Then a Python without site-packages imports all handlers, and the scorer that needs no numpy
    modules = ", ".join([*handlers, "serving.models.python_scorer", "tzdata"])
    run_python(tmp_path, f"import {modules}")


def run_python(folder: Path, code: str) -> None:
    """Run code in the base interpreter, where only a folder can be imported from."""
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-S", "-c", code], cwd=folder, env={}, check=True)


def test_libraries_are_those_of_the_lock_by_hash() -> None:
    lines = locked(LIBRARIES).splitlines()
    assert [line.split("==")[0] for line in lines if "==" in line] == list(LIBRARIES)
    assert sum("--hash=sha256:" in line for line in lines) > len(LIBRARIES)
    with pytest.raises(BundleError, match="The lock has no django"):
        locked(["django"])


def test_a_bundle_that_is_too_large_is_refused(tmp_path: Path) -> None:
    small = Bundle("arm64", tmp_path, "", {"serving": 1_000_000})
    large = Bundle("arm64", tmp_path, "", {"serving": 1, "numpy": 150_000_000})
    require_size([small])
    with pytest.raises(BundleError, match=r"150 MB unpacked.*most of it is numpy"):
        require_size([small, large])


@pytest.mark.slow
def test_the_real_bundles_are_built_from_wheels_and_their_code_can_be_imported(
    home: Path, tmp_path: Path
) -> None:
    # Given both bundles, with libraries fetched by pip
    assert execute(["deploy", "lambda-bundle", "--to", str(tmp_path)]) == 0
    figures = json.loads((home / "figures" / "lambda-bundle.json").read_text())
    for architecture in PLATFORMS:
        assert 1 < figures[f"unzipped_mb_{architecture}"] < 20
    # Then the one for this machine runs in a Python that has nothing else
    with zipfile.ZipFile(tmp_path / "ontime-x86_64.zip") as archive:
        archive.extractall(tmp_path / "task")
    modules = "serving.lambdas.api_handler, serving.models.python_scorer, tzdata"
    run_python(tmp_path / "task", f"import {modules}")
