from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.cli import execute
from pipelines.deploy.wheel import ROOT, WheelError, build_wheel
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_same_code_makes_the_same_bytes_wherever_it_is(wheel: Path, tmp_path: Path) -> None:
    # Given: a copy elsewhere, with other times and modes
    copy = tmp_path / "elsewhere"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / "pipelines" / "deploy" / "wheel.py").chmod(0o700)
    # When
    again = build_wheel(tmp_path / "dist", root=copy)
    # Then: equal except for the commit, which a copy without git does not have
    assert contents(again) == contents(wheel)


def test_it_has_all_of_conf(wheel: Path) -> None:
    # Given the files of conf / Then each is in the wheel
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*") if path.is_file()}
    assert {name for name in there if name.endswith((".yaml", ".csv"))} <= set(contents(wheel))


def test_it_has_every_template(wheel: Path) -> None:
    # Given the HTML templates of the packages / Then each is in the wheel
    packages = ("pipelines", "training", "serving")
    there = {
        str(path.relative_to(ROOT)) for name in packages for path in (ROOT / name).rglob("*.html")
    }
    assert "pipelines/templates/layout.html" in there
    assert there <= set(contents(wheel))


def contents(path: Path) -> Mapping[str, tuple[int, int]]:
    with zipfile.ZipFile(path) as archive:
        left_out = {"conf/build.json"}
        return {
            info.filename: (info.CRC, info.external_attr)
            for info in archive.infolist()
            if info.filename not in left_out and not info.filename.endswith("RECORD")
        }


def test_the_command_prints_the_path_and_replaces_the_wheel_with_the_same(
    wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    before = wheel.read_bytes()
    # When
    assert execute(["deploy", "wheel", "--to", str(wheel.parent)]) == 0
    # Then
    assert Path(capsys.readouterr().out.strip()) == wheel
    assert wheel.read_bytes() == before
    assert list(wheel.parent.iterdir()) == [wheel]


def test_it_records_the_commit_and_does_not_require_spark(wheel: Path) -> None:
    # Given
    with zipfile.ZipFile(wheel) as archive:
        built = json.loads(archive.read("conf/build.json"))
    (found,) = importlib.metadata.distributions(path=[str(wheel)])
    # When
    needs = [line for line in found.requires or [] if "extra ==" not in line]
    # Then: a cluster brings these itself, and breaks when others are installed over them
    assert set(built) == {"commit", "changed", "lock_sha256"}
    names = {line.split(";")[0].split("<")[0].split(">")[0].split("=")[0] for line in needs}
    assert not names & {"pyspark", "pyspark[connect]", "delta-spark", "pandas", "numpy", "pyarrow"}


def test_the_entry_point_of_the_job_is_in_it_and_has_every_stage(
    wheel: Path, tmp_path: Path
) -> None:
    # Given: the wheel unpacked, and nothing of this repository on the path
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path)])
    (entry,) = found.entry_points
    assert (entry.name, entry.value) == ("ontime", "pipelines.cli:main")
    # When
    script = "import sys; from pipelines.cli import main; main(sys.argv[1:])"
    for arguments in ([STAGES[0].name, "--help"], [STAGES[-1].name, "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        # Then
        assert done.returncode == 0, done.stderr
        assert arguments[0] in done.stdout


def test_a_folder_that_is_not_a_clone_is_refused(tmp_path: Path) -> None:
    # When / Then
    with pytest.raises(WheelError, match="build the wheel from a clone"):
        build_wheel(tmp_path / "dist", root=tmp_path)
