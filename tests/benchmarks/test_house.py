"""The structure check: circles are found wherever an import stands, and counts are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.house import MOST_MODULES, circles_in, figures_of

if TYPE_CHECKING:
    from pathlib import Path

AT_THE_TOP = "from serving.models import scorer\n"
IN_A_FUNCTION = "def load():\n    from serving.models import scorer\n"
FOR_TYPES_ONLY = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from serving.models.scorer import Scorer
"""


def write(root: Path, **sources: str) -> Path:
    """Write modules, `serving__models__scorer="..."`, with the packages that they are in."""
    for name, source in sources.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        for package in path.parents:
            if package == root:
                break
            (package / "__init__.py").touch()
    return root


@pytest.mark.parametrize("back", [AT_THE_TOP, IN_A_FUNCTION, FOR_TYPES_ONLY])
def test_a_circle_is_found_wherever_the_import_stands(tmp_path: Path, back: str) -> None:
    # Given two modules that import each other
    scorer = "from serving.models.trees import Tree\n"
    root = write(tmp_path, serving__models__scorer=scorer, serving__models__trees=back)
    # Then they are a circle
    assert circles_in(root) == [["serving.models.scorer", "serving.models.trees"]]


def test_a_circle_of_three_is_one_circle(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        features__a="import features.b\n",
        features__b="from features import c\n",
        features__c="from features.a import x\n",
        features__d="from features.a import x\n",
    )
    assert circles_in(root) == [["features.a", "features.b", "features.c"]]


def test_rooms_that_import_each_other_are_a_circle_although_no_modules_are(tmp_path: Path) -> None:
    # Given two rooms of which each has a module that imports one of the other
    root = write(
        tmp_path,
        serving__http__routes="from serving.service.jobs import Job\n",
        serving__http__messages="",
        serving__service__jobs="",
        serving__service__pages="from serving.http.messages import Reply\n",
    )
    # Then the rooms are a circle
    assert circles_in(root) == [["serving.http", "serving.service"]]


def test_imports_that_go_one_way_are_no_circle(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        serving__http__routes="from serving.service.jobs import Job\n",
        serving__service__jobs="import json\n",
    )
    assert circles_in(root) == []


def test_a_circle_of_benchmarks_is_found_and_they_are_not_counted(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        features__a="",
        benchmarks__years="import benchmarks.files\n",
        benchmarks__files="def main():\n    import benchmarks.years\n",
    )
    figures, found, _ = figures_of(root)
    assert found == [["benchmarks.files", "benchmarks.years"]]
    assert (figures["import_circles"], figures["modules"]) == (1, 1)


def test_the_figures_count_modules_importers_and_lines(tmp_path: Path) -> None:
    # Given four modules, of which one has one importer and one has two
    root = write(
        tmp_path,
        features__base="x = 1\ny = 2\n",
        features__used="from features.base import x\n",
        features__rooms__one="from features.base import x\nfrom features.used import z\n",
        features__rooms__two="",
    )
    # Then they are counted
    figures, found, too_large = figures_of(root)
    assert (found, too_large) == ([], [])
    assert figures == {
        "modules_largest_package": 2,
        "packages_largest_package": 1,
        "import_circles": 0,
        "modules_with_one_importer": 1,
        "modules": 4,
        "product_lines": 5,
    }


def test_a_package_with_too_many_modules_is_named(tmp_path: Path) -> None:
    names = {f"features__m{number}": "" for number in range(MOST_MODULES + 1)}
    _, _, too_large = figures_of(write(tmp_path, **names))
    assert too_large == [f"features holds {MOST_MODULES + 1}"]
