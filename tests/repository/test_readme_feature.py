"""README's example of a new feature, followed to the letter in a copy of the repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.catalog import FEATURES

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "ontime_base",
    "features",
    "training",
    "serving",
    "operations",
    "pipelines",
    "benchmarks",
    "conf",
    "tests",
)
NAME = "cut_share_destination_12h"


def example() -> tuple[str, str]:
    """Return the file that the README names, and the lines for it."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Add a feature")[1]
    (place,) = re.findall(r"Put this into `([^`]+)`", section)
    lines = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    return place, lines


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with the example in its place, and nothing else changed."""
    folder = tmp_path_factory.mktemp("readme") / "ontime"
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    place, lines = example()
    (folder / place).write_text(lines, encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_one_file_of_less_than_twenty_lines() -> None:
    # Given the example / When its lines are counted, blank ones apart / Then they are under 20
    place, lines = example()
    assert place.startswith("features/catalog/")
    assert not (ROOT / place).exists()
    assert len([line for line in lines.splitlines() if line.strip()]) < 20
    # And they are one function and one declaration
    assert lines.count("def ") == lines.count("= Feature(\n") == 1


def test_the_feature_turns_up_everywhere_with_the_right_values(copy: Path) -> None:
    # Given the copy with the example / When the probe searches the feature
    found = json.loads(run(copy, "tests/repository/feature_probe.py", NAME))
    # Then there is one more, in the schema, the contract and the quality suite
    assert found["features"] == len(FEATURES) + 1
    assert found["schema"] == "float64"
    assert found["contract"]
    assert found["limits in suite"] == 1
    # And on the reference page, and before the leak prover, which finds nothing
    assert found["reference rows"] == 1
    assert found["leak prover"]
    assert not found["leaks"]
    # And the stages see that their code has changed
    assert found["code of the stage"] == ["features/catalog/cuts.py"]
    # And of the two flights known by then one was cancelled; before them there was none
    assert found["offline"] == found["online"] == [None, None, 0.5]


def test_it_passes_what_every_feature_must(copy: Path) -> None:
    # Given the copy / When the page is regenerated and the feature's own tests are run
    run(copy, "-m", "features.contract.reference", "--write")
    tests = ("tests/features/catalog/test_catalog.py", "tests/features/contract/test_reference.py")
    output = run(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", f"{NAME} or page", *tests
    )
    # Then they pass: the declaration's own five, and those of the page
    assert re.search(r"\b(\d+) passed", output)
    assert "failed" not in output
    assert f"`{NAME}`" in (copy / "docs" / "features.md").read_text(encoding="utf-8")


def test_it_is_written_as_the_house_writes(copy: Path) -> None:
    # Given the file of the example / When linter and type checker check it, formatting excluded
    place, _ = example()
    run(copy, "-m", "ruff", "check", "--quiet", "--no-cache", "--ignore", "I001", place)
    # Then they report nothing
    run(copy, "-m", "mypy", "--no-error-summary", "--cache-dir", str(copy / ".mypy"), place)
