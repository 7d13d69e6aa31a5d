"""`make audit` reports its findings, and also when the audit could not run."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.serving.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOUND = "Name Version ID Fix Versions\n---- ------- --- ----\nleft-pad 1.0 X-1 1.1"

UNKNOWN = "Name Skip Reason\n---- ----\na Dependency not found and could not be audited: a (1)"


@pytest.mark.parametrize(
    ("report", "status", "expected", "message"),
    [
        ("No known vulnerabilities found", 0, 0, "no known vulnerability"),
        (UNKNOWN, 0, 2, "nothing is known about them"),
        (FOUND, 1, 1, "make lock UPGRADE=1"),
        ("ConnectionError: no route to host", 1, 2, "could not be asked"),
    ],
)
def test_each_end_has_its_sentence(
    tmp_path: Path, report: str, status: int, expected: int, message: str
) -> None:
    # Given the script beside a uv that answers so
    uv = tmp_path / ".venv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(f"#!/bin/sh\ncat <<'END'\n{report}\nEND\nexit {status}\n")
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    script = tmp_path / "requirements" / "audit.sh"
    script.parent.mkdir()
    script.write_bytes((ROOT / "requirements" / "audit.sh").read_bytes())
    # When it is run, Then its exit code and last line report the result
    done = subprocess.run(
        ["bash", str(script)], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == expected
    assert message in (done.stdout + done.stderr).splitlines()[-1]
