from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.runtime import source_code
from pipelines.runtime.fingerprint import difference
from pipelines.runtime.source_code import code_of, remembered_code
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path,
        pipelines__train='"""Doc."""\nfrom training import fit\nimport os\n',
        pipelines__console="X = 1\n",
        training__init='"""Doc."""\n',
        training__fit="from features.clock import to_utc\n\ndef fit():\n    return to_utc()\n",
        training__other="Y = 1\n",
        features__clock='def to_utc():\n    """Return."""\n    return 1  # now\n',
    )
    (tmp_path / "training" / "init.py").rename(tmp_path / "training" / "__init__.py")
    (tmp_path / "training" / "card.html").write_text("<p>")
    return tmp_path


def test_the_code_of_a_module_is_what_it_imports_and_the_data_files_beside(root: Path) -> None:
    assert set(code_of("pipelines.train", root)) == {
        "pipelines/train.py",
        "training/__init__.py",
        "training/fit.py",
        "training/card.html",
        "features/clock.py",
    }


@pytest.mark.parametrize(
    "text",
    [
        "def to_utc():\n    return 1\n",
        'def to_utc():\n    """Return one."""\n\n    # now\n    return (1)\n',
        '"""A docstring."""\n\n\ndef to_utc():\n    return 1\n',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(root: Path, text: str) -> None:
    before = code_of("pipelines.train", root)
    write(root, features__clock=text)
    assert code_of("pipelines.train", root) == before


def test_a_changed_statement_counts_and_is_named(root: Path) -> None:
    before = code_of("pipelines.train", root)
    write(root, features__clock="def to_utc():\n    return 2\n")
    assert difference(before, code_of("pipelines.train", root)) == "features/clock.py changed"


def test_what_is_not_imported_does_not_count(root: Path) -> None:
    before = code_of("pipelines.train", root)
    write(root, training__other="Y = 2\n", pipelines__console="X = 2\n")
    assert code_of("pipelines.train", root) == before


def test_imports_that_only_type_checkers_follow_do_not_count(root: Path) -> None:
    write(
        root,
        pipelines__train=(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import training.other\n"
        ),
    )
    assert set(code_of("pipelines.train", root)) == {"pipelines/train.py"}


def test_an_import_inside_a_function_counts(root: Path) -> None:
    write(root, pipelines__train="def run():\n    from training.other import Y\n    return Y\n")
    assert "training/other.py" in code_of("pipelines.train", root)


def test_modules_that_import_each_other_are_read_once(root: Path) -> None:
    write(root, features__clock="import training.fit\n")
    assert "features/clock.py" in code_of("pipelines.train", root)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_the_code_of_every_stage_holds_the_stage_and_nothing_of_the_frame(stage: str) -> None:
    code = code_of(f"pipelines.{stage}")
    assert f"pipelines/{stage}.py" in code
    assert not {
        "pipelines/runtime/command.py",
        "pipelines/run.py",
        "pipelines/runtime/runner.py",
    } & set(code)


def test_a_package_that_discovers_its_modules_counts_with_all_of_them(root: Path) -> None:
    # Given a package that imports whatever is in it
    write(root, features__parts__init="from pkgutil import iter_modules\nF = iter_modules\n")
    (root / "features" / "parts" / "init.py").rename(root / "features" / "parts" / "__init__.py")
    write(root, features__parts__wind="W = 1\n", pipelines__build="import features.parts\n")
    # When its code is listed / Then a module that no import names is in the list
    assert "features/parts/wind.py" in code_of("pipelines.build", root)


def test_a_text_that_an_earlier_process_parsed_is_not_parsed_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given what a process that ran on a home left there
    home = tmp_path / "home"
    with remembered_code(home):
        before = code_of("pipelines.train", root)
    # When another process lists the same code, and nothing may be parsed
    monkeypatch.setattr(source_code, "_parsed", {})
    with monkeypatch.context() as patched, remembered_code(home):
        patched.delattr(source_code, "_parse")
        # Then it is the same
        assert code_of("pipelines.train", root) == before
    # And a changed file is parsed, and remembered as well
    write(root, features__clock="def to_utc():\n    return 2\n")
    with remembered_code(home):
        changed = code_of("pipelines.train", root)
    assert difference(before, changed) == "features/clock.py changed"
    monkeypatch.setattr(source_code, "_parsed", {})
    monkeypatch.delattr(source_code, "_parse")
    with remembered_code(home):
        assert code_of("pipelines.train", root) == changed


@pytest.mark.parametrize("body", [b"", b"{}", b'["another version", {}]', b"\xff"])
def test_remembered_code_that_is_of_no_use_is_parsed_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    expected = code_of("pipelines.train", root)
    # Given
    file = tmp_path / "home" / "stages" / "source_code.cache"
    file.parent.mkdir(parents=True)
    file.write_bytes(body)
    monkeypatch.setattr(source_code, "_parsed", {})
    # When / Then
    with remembered_code(tmp_path / "home"):
        assert code_of("pipelines.train", root) == expected
    assert file.read_bytes() != body
