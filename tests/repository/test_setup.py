"""Missing prerequisites are reported; an environment is built once, and rebuilt if broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"


def doctor(folder: Path, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run the prerequisite check on a machine that has only `commands` and the basic tools."""
    for name in ("bash", "sed", "grep", "head"):
        (folder / name).symlink_to(shutil.which(name) or name)
    for name, script in commands.items():
        (folder / name).write_text(f"#!{folder}/bash\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["bash", ROOT / "requirements/doctor.sh"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


GOOD_PYTHON = "exit 0"
GOOD_JAVA = """case $1 in
-version) echo 'openjdk version "17.0.15" 2025-04-15' >&2 ;;
*) echo jdk.incubator.vector@17.0.15 ;;
esac"""


def test_a_machine_with_python_and_java_is_well(tmp_path: Path) -> None:
    done = doctor(tmp_path, python3=GOOD_PYTHON, java=GOOD_JAVA)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "python3")), done.stderr


@pytest.mark.parametrize(
    ("commands", "sentence"),
    [
        ({"java": GOOD_JAVA}, "Python 3.11 is needed and was not found (no python3 on PATH)."),
        (
            {"java": GOOD_JAVA, "python3": 'test "$1" = --version && echo Python 3.12.1'},
            "Python 3.11 is needed and was not found (Python 3.12.1 on PATH).",
        ),
        (
            {"java": GOOD_JAVA, "python3": '[[ "$2" != *ensurepip* ]]'},
            "cannot create virtual environments",
        ),
        ({"python3": GOOD_PYTHON}, 'Spark needs Java 17 or newer, and "java" does not run.'),
        (
            {"python3": GOOD_PYTHON, "java": "echo 'java version \"1.8.0_402\"' >&2"},
            'Spark needs Java 17 or newer, and "java" is version 8.',
        ),
        (
            {"python3": GOOD_PYTHON, "java": GOOD_JAVA.replace("jdk.incubator.vector", "java.sql")},
            '"java" is a trimmed Java without jdk.incubator.vector, which Spark needs.',
        ),
    ],
)
def test_a_missing_prerequisite_is_reported_in_one_sentence(
    tmp_path: Path, commands: dict[str, str], sentence: str
) -> None:
    # Given a machine that lacks one thing, When it is checked
    done = doctor(tmp_path, **commands)
    # Then one line names it and the way out, and nothing is printed that setup would run
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert sentence in line
    assert "Install" in line


# Stands for Python: makes a .venv with itself and an installer that records its arguments.
FAKE_PYTHON = """case "$*" in
*--version*) echo Python 3.11.0 ;;
"-m venv .venv")
  mkdir -p .venv/bin && cp "$0" .venv/bin/python
  printf '#!/bin/bash\\n[ ! -e broken ] && echo "${@: -1}" >>installed\\n' >.venv/bin/uv
  chmod +x .venv/bin/uv ;;
esac"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone under a path with a space, on a machine whose Python and Java are stand-ins."""
    folder = tmp_path / "a clone"
    shutil.copytree(REQUIREMENTS, folder / "requirements")
    (folder / "tools").mkdir()
    for name, script in {"python3.11": FAKE_PYTHON, "java": GOOD_JAVA}.items():
        (folder / "tools" / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (folder / "tools" / name).chmod(0o755)
    return folder


def install(clone: Path, lock: str, **environment: str) -> list[str]:
    """Run the set-up; return the locks that it installed, one for each time it did."""
    path = f"{clone / 'tools'}:/usr/bin:/bin"
    log = clone / "installed"
    log.write_text("", encoding="utf-8")
    subprocess.run(
        ["bash", "requirements/install.sh", lock],
        cwd=clone,
        env={"PATH": path, **environment},
        capture_output=True,
        check=not (clone / "broken").exists(),
    )
    return log.read_text(encoding="utf-8").split()


RUN, DEV = ["requirements/run.txt"], ["requirements/dev.txt"]


def test_setting_up_twice_installs_once(clone: Path) -> None:
    assert install(clone, "run") == RUN
    assert install(clone, "run") == []


def test_the_command_is_installed_and_works_from_any_folder(clone: Path, tmp_path: Path) -> None:
    # Given an environment, and a command line that prints what it was given
    install(clone, "run")
    (clone / ".venv/bin/python").unlink()
    (clone / ".venv/bin/python").symlink_to(sys.executable)
    (clone / "pipelines").mkdir()
    (clone / "pipelines/__init__.py").touch()
    (clone / "pipelines/cli.py").write_text("def main():\n    import sys; print(sys.argv[1:])\n")
    # When it is called from elsewhere
    done = subprocess.run(
        [clone / ".venv/bin/ontime", "run", "two words"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    # Then
    assert done.stdout == "['run', 'two words']\n"


def test_the_packages_of_the_project_are_compiled_even_where_no_process_keeps_bytecode(
    clone: Path,
) -> None:
    # Given an environment, and a module that was added since, in an unfinished state
    install(clone, "run")
    (clone / ".venv/bin/python").unlink()
    (clone / ".venv/bin/python").symlink_to(sys.executable)
    (clone / "pipelines").mkdir()
    (clone / "pipelines/cli.py").write_text("ANSWER = 42\n")
    (clone / "pipelines/unfinished.py").write_text("def main(:\n")
    # When it is set up again, Then nothing is installed, and the bytecode is there
    assert install(clone, "run", PYTHONDONTWRITEBYTECODE="1") == []
    (compiled,) = (clone / "pipelines/__pycache__").iterdir()
    assert compiled.name.startswith("cli.")
    # And it follows a change
    before = compiled.read_bytes()
    (clone / "pipelines/cli.py").write_text("ANSWER = 42 + 1\n")
    os.utime(clone / "pipelines/cli.py", (0, 0))
    assert install(clone, "run", PYTHONDONTWRITEBYTECODE="1") == []
    assert compiled.read_bytes() != before


def test_a_changed_lock_is_installed(clone: Path) -> None:
    # Given an environment, When its lock changes, Then it is installed again
    install(clone, "run")
    with (clone / "requirements/run.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    assert install(clone, "run") == RUN


def test_an_environment_for_development_is_never_reduced(clone: Path) -> None:
    # Given an environment to run with, When the tools are requested, Then they are added
    install(clone, "run")
    assert install(clone, "dev") == DEV
    # And running needs nothing more
    assert install(clone, "run") == []


def test_an_interrupted_set_up_is_started_again(clone: Path) -> None:
    # Given a set-up that died in the middle of installing
    (clone / "broken").touch()
    assert install(clone, "run") == []
    (clone / ".venv/half-a-package").touch()
    (clone / "broken").unlink()
    # When it is run again, Then it begins with an empty environment
    assert install(clone, "run") == RUN
    assert not (clone / ".venv/half-a-package").exists()


def test_a_broken_or_moved_environment_is_built_again(clone: Path) -> None:
    # Given an environment whose Python was deleted
    install(clone, "run")
    (clone / ".venv/bin/python").unlink()
    # When it is set up, Then it is built again
    assert install(clone, "run") == RUN
    # And so is one that was moved, as its scripts name the place where it was made
    moved = clone.rename(clone.with_name("moved"))
    assert install(moved, "run") == RUN
    assert install(moved, "run") == []
