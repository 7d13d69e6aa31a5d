"""The same words do the same thing by hand, in hooks and in CI."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.stages import STAGES
from tests.shared_modules import WITH_SESSION, WITHOUT_SESSION
from tests.whole_suite import SUITES

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PACKAGES = ["ontime_base", "features", "training", "serving", "operations", "pipelines"]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))


def workflow_targets() -> set[str]:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    matrix: dict[str, Any] = yaml.safe_load(text)["jobs"]["ci"]["strategy"]["matrix"]
    assert "make ${{ matrix.target }}" in text
    return set(matrix["target"])


def ci_targets() -> set[str]:
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    return set(re.findall(r"^target ([a-z-]+)$", text, re.MULTILINE))


def hook_targets() -> set[str]:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = yaml.safe_load(text)["repos"][0]["hooks"]
    return {hook["entry"].removeprefix("make ") for hook in hooks}


def test_help_shows_every_target_with_its_description() -> None:
    # Given the help, made by the real make without a target
    shown = subprocess.run(
        ["make", "--silent"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    # Then each line is a target and a description
    words = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", shown, re.MULTILINE))
    assert len(words) == len(shown.splitlines())
    # And every target exists, but for the parts of check
    assert set(words) == {name for name in targets() if not name.startswith("check-")}


def test_no_target_is_taken_for_a_file() -> None:
    # Given the names declared phony, Then they are exactly the targets
    phony = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert {name for line in phony for name in line.split()} == targets()


def test_ci_runs_the_same_words_everywhere() -> None:
    # Given the script and the workflow, Then both run what a person runs
    assert ci_targets() == workflow_targets() == {"check", "test", "test-full", "test-connect"}
    assert ci_targets() <= targets()


def test_the_hooks_are_the_parts_of_check() -> None:
    # Given the prerequisites of `make check`
    found = re.search(r"^check: ([a-z -]+) ##", MAKEFILE, re.MULTILINE)
    assert found is not None
    # Then they are the hooks, no more and no fewer
    assert set(found[1].split()) == hook_targets()


def test_test_and_test_full_leave_nothing_out() -> None:
    # Given the suites that run a test once, Then each test is in exactly one of them
    assert (SUITES["test"].tests, SUITES["test-full"].tests) == ("not slow", "slow")
    for name in ("test", "test-full"):
        assert SUITES[name].roles == (WITH_SESSION, WITHOUT_SESSION)
        assert SUITES[name].arguments == ()
    # And only what the whole of `make test` covers is held to the limit of coverage
    assert [name for name, suite in SUITES.items() if suite.covered] == ["test"]


def dry_run(*arguments: str) -> str:
    """Return the commands that make would run."""
    return subprocess.run(
        ["make", "--silent", "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("name", SUITES)
def test_a_whole_suite_has_a_script_and_a_part_of_it_is_one_process(name: str) -> None:
    # Given what make would run for a whole suite, and for a part of it
    whole, part = dry_run(name), dry_run(name, "ARGS=tests/serving")
    # Then only the whole suite is run by the script that has the processes and the coverage gate
    assert f"tests/whole_suite.py {name}\n" in whole
    assert "tests/whole_suite.py" not in part
    # And a part picks the same tests
    (marks,) = re.findall(r'pytest -m "?([a-z ]+?)"? (?:-|tests/serving)', part)
    assert marks == SUITES[name].tests


def test_check_measures_the_structure() -> None:
    # Given what make would run for the check, Then import circles of modules and rooms are among it
    assert "-m benchmarks.house" in dry_run("check")


def test_coverage_types_import_rules_and_the_wheel_see_the_same_packages() -> None:
    # Given the settings of the tools
    tool: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    # Then none of them forgets a package
    assert tool["coverage"]["run"]["source"] == PACKAGES
    assert tool["importlinter"]["root_packages"] == PACKAGES
    assert set(PACKAGES) <= set(tool["mypy"]["files"])
    # And the wheel has every folder that holds modules, listed by name
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    listed = set(tool["setuptools"]["packages"])
    assert found <= listed, "add them to [tool.setuptools] packages in pyproject.toml"


def test_the_import_rules_name_every_module_and_room_of_pipelines_except_new_stages() -> None:
    # Given the layers of the rooms of pipelines
    tool: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (rules,) = [
        each for each in tool["importlinter"]["contracts"] if each["name"] == "Rooms of pipelines"
    ]
    listed = {name.strip(" ()") for layer in rules["layers"] for name in re.split("[|:]", layer)}
    # Then they name every existing one
    here = (ROOT / "pipelines").iterdir()
    there = {path.stem for path in here if path.suffix == ".py" or (path / "__init__.py").is_file()}
    stages = {stage.module.removeprefix("pipelines.") for stage in STAGES}
    assert there - stages - {"__init__"} <= listed


def test_the_licence_is_apache_2_and_names_its_holder() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert "The Ontime authors" in text
