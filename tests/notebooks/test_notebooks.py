"""The notebooks are code: they import the packages, define nothing, and run on the real data."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import jupytext
import pytest

from pipelines.cli import execute
from pipelines.deploy.wheel import ROOT
from pipelines.explore.notebooks import NotebookError, export, find_notebooks

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["01_explore", "02_questions", "03_model_review", "04_operations"]


def test_there_are_four_in_order() -> None:
    # Then
    assert [path.stem for path in find_notebooks()] == NAMES
    with pytest.raises(NotebookError, match="no notebook '05'"):
        find_notebooks(["05"])


@pytest.mark.parametrize("path", find_notebooks(), ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_has_text_before_every_section(path: Path) -> None:
    # Given
    notebook = jupytext.read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    # Then
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in ast.walk(ast.parse(code)) if isinstance(node, defined)]
    assert "sys.path" not in code
    assert kinds[0] == "markdown"
    assert notebook.cells[0].source.startswith("# ")


def test_each_of_the_seventeen_questions_has_its_answer_and_plot() -> None:
    # Given
    text = (ROOT / "notebooks" / "02_questions.py").read_text()
    sections = text.split("# ## ")[1:]
    # Then
    assert len(sections) == 18
    assert [section.split(".")[0] for section in sections[:17]] == [str(n) for n in range(1, 18)]
    for section in sections:
        assert "answer = questions." in section
        assert "pictures." in section


def test_a_notebook_is_exported_as_databricks_imports_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    assert execute(["notebooks", "--export", str(tmp_path)]) == 0
    # Then
    assert len(capsys.readouterr().out.splitlines()) == len(NAMES)
    exported = json.loads(export(find_notebooks()[0], tmp_path).read_text())
    assert exported["nbformat"] == 4
    assert all(not cell.get("outputs") for cell in exported["cells"])


def test_an_unknown_notebook_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    # When / Then
    assert execute(["notebooks", "05_magic"]) == 1
    assert "use one of 01_explore" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(1800)
def test_all_run_on_the_real_data_and_become_pages(tmp_path: Path) -> None:
    # Given the whole pipeline on all real flights
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment = {**clean, "ONTIME_HOME": str(tmp_path / "home"), "ONTIME_ENV": "dev"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    made = run("run")
    assert made.returncode == 0, made.stdout + made.stderr
    # When
    done = run("notebooks", "--to", str(tmp_path / "pages"))
    # Then
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "home" / "figures" / "notebooks.json").read_text())
    assert (figures["executed"], figures["failed"]) == (len(NAMES), 0)
    pages = {path.stem: path.read_text() for path in (tmp_path / "pages").iterdir()}
    assert sorted(pages) == NAMES
    assert "336776" in pages["02_questions"]
    # Then: a page needs nothing from the network, and opens offline
    for page in pages.values():
        assert "data:image/png;base64" in page or "<svg" in page or "<table" in page
        assert "<script" not in page
        assert "https://" not in page.replace("https://www.w3.org", "")
