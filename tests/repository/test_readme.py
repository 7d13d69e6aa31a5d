"""The commands in the README work, and the files that it links exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from serving.docs.openapi import EXAMPLE_REQUEST
from tests.serving.support import SETTINGS, a_home, a_service, running_server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
)


def commands(start: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(start)]


def test_the_curl_lines_work_as_they_stand(tmp_path: Path) -> None:
    # Given a released model behind the service
    with running_server(a_service(a_home(tmp_path), SETTINGS)) as address:
        # When each curl line is typed, with nothing changed but the port
        lines = [line.replace(ADDRESS, address) for line in commands("curl")]
        answers = [_typed(f"{line} --silent --fail-with-body") for line in lines]
    # Then each is answered; the prediction is of the flight, and the history has it
    health, model, prediction, history, load = (json.loads(answer) for answer in answers)
    assert health["status"] == "ok"
    assert model["alias"] == load["alias"] == "champion"
    assert prediction["flight_id"] == "UA-389-2013123023"
    assert 0 < prediction["probability"] < 1
    ids = [entry["prediction_id"] for entry in history["items"]]
    assert ids == [prediction["prediction_id"]]


def _typed(line: str) -> bytes:
    return subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout


def test_its_flight_is_the_example_of_the_documentation() -> None:
    # Given the prediction line of the README / When its body is read / Then it is the example
    (line,) = [line for line in commands("curl") if "/model/predict" in line]
    words = shlex.split(line)
    assert json.loads(words[words.index("-d") + 1]) == EXAMPLE_REQUEST


def test_the_make_words_exist() -> None:
    # Given the make lines / When they are compared with the Makefile / Then each is a target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    words = {line.split()[1] for line in commands("make")}
    assert {"run", "test", "serve"} <= words
    assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words)


def test_the_stage_commands_exist() -> None:
    # Given the commands for one stage / When they are looked up / Then MLproject has the stage
    (line,) = commands("mlflow run")
    entry = line.split("-e ")[1].split()[0]
    assert f"  {entry}:" in (ROOT / "MLproject").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    # Given the links of a page to files of the repository / When / Then each exists
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    here = (ROOT / page).parent
    missing = [t for t in targets if "://" not in t and not (here / t).exists()]
    assert not missing


_PLACE = r"`((?:features|training|serving|operations|pipelines|ontime_base|tests|conf)/[\w./]+)`"
TO_BE_WRITTEN = "features/catalog/cuts.py"  # the reader of the README writes it


@pytest.mark.parametrize("page", PAGES)
def test_the_modules_that_a_page_names_exist(page: str) -> None:
    # Given the paths of modules and folders in a page / When / Then each exists
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(_PLACE, text)) - {TO_BE_WRITTEN}
    assert not sorted(place for place in named if not (ROOT / place).exists())


def test_the_architecture_names_every_room() -> None:
    # Given the sub-packages of the packages that have rooms
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {
        f"{path.parent.parent.name}/{path.parent.name}"
        for package in ("features", "training", "serving", "operations", "pipelines")
        for path in (ROOT / package).glob("*/__init__.py")
    }
    # Then each is in a table, by its full path or below the heading of its package
    named = set(re.findall(r"`(\w+/\w+)/`", text))
    for heading in ("pipelines", "serving"):
        section = text.split(f"### `{heading}/`")[1].split("###")[0]
        named |= {f"{heading}/{room}" for room in re.findall(r"`(\w+)/`", section)}
    assert rooms <= named
