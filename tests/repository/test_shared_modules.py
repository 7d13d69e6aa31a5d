"""Processes that share a run: each module is claimed once, and runs with its own fixtures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared_modules import ALL, ROLES, WITH_SESSION, WITHOUT_SESSION

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def spark():
    print("a session")
    yield "session"
    print("the session ends")

@pytest.fixture(scope="module")
def folder(request):
    yield request.node.name
    print(f"{request.node.name} ends")
"""
MODULES = {
    "test_plain.py": "def test_a(folder): pass\ndef test_b(): pass\n",
    "sub/test_mixed.py": "def test_c(spark): pass\ndef test_d(folder): pass\n",
    "sub/test_session.py": "def test_e(spark, folder): pass\ndef test_f(spark): pass\n",
    "test_long.py": "import pytest\n@pytest.mark.timeout(900)\ndef test_g(): assert False\n",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Return a folder with tests, of which some use a session."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "claims").mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = timeout\n")
    return tmp_path


def run(suite: Path, *arguments: str) -> tuple[list[str], str]:
    """Return the tests that a process ran, in order, and all it printed."""
    command = [sys.executable, "-m", "pytest", "-vs", "-p", "tests.shared_modules"]
    command += ["-p", "no:timeout", "-p", "no:cacheprovider", f"--rootdir={suite}"]
    done = subprocess.run(
        [*command, *arguments, str(suite)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    # A line that starts with the test, unlike the one that says why it failed.
    return re.findall(r"^(?!FAILED)\S+::test_(\w) ", done.stdout, re.MULTILINE), done.stdout


def test_each_test_runs_in_one_process_those_with_the_session_in_the_same(suite: Path) -> None:
    # Given a process without the session, which is done before the other starts
    claims = f"--claims={suite / 'claims'}"
    others, _ = run(suite, claims, f"--role={WITHOUT_SESSION}")
    # When the other runs, Then it has what is left: all tests that use the session
    rest, output = run(suite, claims, f"--role={WITH_SESSION}")
    assert others[:1] == ["g"], "the longest comes first"
    assert sorted(others) == ["a", "b", "d", "g"]
    assert rest == ["c", "e", "f"]
    assert output.count("a session") == output.count("the session ends") == 1
    # And a third one finds nothing
    assert run(suite, claims, f"--role={ALL}")[0] == []


def test_one_process_alone_runs_all_and_ends_each_module(suite: Path) -> None:
    # Given no other process / When one runs that may do all, Then the session's tests come first
    found, output = run(suite, f"--claims={suite / 'claims'}", f"--role={WITH_SESSION}")
    assert set(found[:3]) == {"c", "e", "f"}
    assert sorted(found) == list("abcdefg")
    # And of the others the longest, then from the end, as another process begins at the start
    assert found[3:] == ["g", "a", "b", "d"]
    # And a module's fixtures end with it, the session's at the end, and a failure is counted
    assert output.index("test_session.py ends") < output.index("::test_a ")
    assert output.index("the session ends") > output.index("::test_b ")
    assert "6 passed" in output
    assert "1 failed" in output


def test_without_claims_pytest_runs_as_always(suite: Path) -> None:
    assert sorted(run(suite)[0]) == list("abcdefg")
    assert set(ROLES) == {WITH_SESSION, WITHOUT_SESSION, ALL}
