"""MLproject and the jobs follow the declaration; a new stage touches its module and that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from pipelines.cli import execute
from pipelines.deploy.databricks.bundle import job_of
from pipelines.deploy.job_definitions import (
    ROOT,
    DefinitionsError,
    definitions,
    project_text,
    require_current,
    write_definitions,
)
from pipelines.stages import STAGES, Parameter

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("ontime_base", "features", "training", "serving", "operations", "pipelines", "conf")
FILES = ("MLproject", "databricks.yml", "pyproject.toml", "README.md", "LICENSE")
MODULE = '''
"""Stage announce: the champion's name to a file."""

from pipelines.runtime.context import StageOutcome


def run(context, *, to="everybody"):
    return StageOutcome({"told": to, "experiment": context.settings.training.experiment})
'''
DECLARATION = """    Stage(
        name="announce",
        title="the champion's name to a file",
        module="pipelines.announce",
        settings=("training.experiment",),
        outputs=("told",),
        parameters=(Parameter(name="to", kind=str, help="who is told", default="everybody"),),
        timeout_s=600,
    ),
)


def stage_named("""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the packages and of what is generated."""
    root = tmp_path / "clone"
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    shutil.copytree(ROOT / "infra" / "databricks", root / "infra" / "databricks")
    for name in FILES:
        shutil.copyfile(ROOT / name, root / name)
    return root


def test_the_files_of_this_repository_are_what_the_declaration_gives() -> None:
    require_current()
    assert execute(["deploy", "definitions"]) == 0


def test_a_file_that_drifted_is_named_and_written_again(copy: Path) -> None:
    # Given two manually edited files
    for name in ("MLproject", "infra/databricks/job.yml"):
        path = copy / name
        path.write_text(path.read_text().replace("train", "trane"))
    # When / Then
    with pytest.raises(DefinitionsError, match=r"MLproject, infra/databricks/job\.yml does not"):
        require_current(copy)
    assert [path.name for path in write_definitions(copy)] == ["MLproject", "job.yml"]
    assert write_definitions(copy) == []


def test_a_job_without_tasks_is_refused(copy: Path) -> None:
    path = copy / "infra" / "databricks" / "job.yml"
    path.write_text(path.read_text().split("      tasks:")[0])
    with pytest.raises(DefinitionsError, match="add it to the job"):
        definitions(copy)


def test_defaults_of_any_text_are_yaml_strings() -> None:
    # Given parameters whose defaults YAML would read as something else
    texts = ("", "no", "1.0", "it's: better", "{x}")
    parameters = tuple(
        Parameter(name=f"p{n}", kind=str, help="x", default=text) for n, text in enumerate(texts)
    )
    # When MLproject is read back
    project = yaml.safe_load(project_text([replace(STAGES[0], parameters=parameters)]))
    # Then
    given = project["entry_points"]["ingest"]["parameters"]
    assert [given[f"p{n}"]["default"] for n in range(len(texts))] == list(texts)


def test_a_new_stage_touches_its_module_and_the_declaration(copy: Path, tmp_path: Path) -> None:
    # Given a module and its declaration, and nothing else
    (copy / "pipelines" / "announce.py").write_text(MODULE)
    declared = copy / "pipelines" / "stages.py"
    text = declared.read_text()
    assert text.count(")\n\n\ndef stage_named(") == 1
    declared.write_text(text.replace(")\n\n\ndef stage_named(", DECLARATION))

    def ontime(*words: str) -> str:
        clean = {name: each for name, each in os.environ.items() if not name.startswith("MLFLOW_")}
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *words],
            cwd=copy,
            env={**clean, "ONTIME_HOME": str(tmp_path / "home"), "ONTIME_ENV": "dev"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    # When the definitions are written again
    ontime("deploy", "definitions", "--write")
    # Then it is the last entry point, with its parameter
    points = yaml.safe_load((copy / "MLproject").read_text())["entry_points"]
    assert list(points)[-2:] == ["promote", "announce"]
    assert points["announce"]["parameters"]["to"] == {"type": "string", "default": "everybody"}
    # And the last task of both jobs, after promote
    for job in ("ontime", "ontime_on_cluster"):
        task = job_of(copy, target="dev", user="ana@example.com", job=job).settings["tasks"][-1]
        assert (task["task_key"], task["timeout_seconds"]) == ("announce", 600)
        assert task["depends_on"] == [{"task_key": "promote"}]
        assert task["python_wheel_task"]["parameters"][0] == "announce"
    # And a command with its option, that runs once, is skipped, and runs for another setting
    assert "--to" in ontime("announce", "--help")
    assert "the champion's name to a file" in ontime("--help")
    runs = [
        json.loads(ontime("announce", "--json", *more))
        for more in ((), (), ("--set", "training.experiment=other"), ("--to", "Ada"))
    ]
    assert [run["skipped"] for run in runs] == [False, True, False, False]
    assert runs[-1]["outputs"]["told"] == "Ada"
    # And a run has it in its order
    script = "from pipelines.stages import STAGES; print(STAGES[-1].name)"
    last = subprocess.run(
        [sys.executable, "-c", script], cwd=copy, capture_output=True, text=True, check=True
    )
    assert last.stdout == "announce\n"
