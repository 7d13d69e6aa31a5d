"""`make test`: the whole suite in two processes, one of them with all Spark tests.

A Spark session is shared by the tests of one process, and most of its time goes into compiling: a
second session would cost more than it saves. Each test runs in exactly one of the two processes.
Their lines are printed as they come; the coverage of both is combined and held to its limit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PARTS: Final = {"spark": "not slow and spark", "other": "not slow and not spark"}
_CLOSING: Final = re.compile(r"^=+ .* in [0-9.]+s.* =+$")


def run_part(name: str) -> tuple[int, str]:
    """Run the tests of one part and print its lines; return the exit code and the closing line."""
    command = [sys.executable, "-m", "pytest", "-m", PARTS[name], "--cov", "--cov-report="]
    env = os.environ | {"COVERAGE_FILE": str(ROOT / f".coverage.{name}"), "PYTHONUNBUFFERED": "1"}
    closing = f"{name}: pytest ended without a closing line"
    with subprocess.Popen(
        [*command, "--cov-fail-under=0"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            if _CLOSING.match(line):
                closing = line.rstrip()
            else:
                sys.stdout.write(f"{name} | {line}")
                sys.stdout.flush()
    return process.returncode, closing


def coverage(*arguments: str) -> int:
    """Run a command of coverage and return its exit code."""
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Run both parts, then the coverage gate; return 0 if all of them passed."""
    with ThreadPoolExecutor(len(PARTS)) as pool:
        results = list(pool.map(run_part, PARTS))
    failed = any(code for code, _ in results)
    gate = coverage("combine", "--quiet") or coverage("report")
    for _, closing in results:
        print(closing)  # noqa: T201 - how many tests passed; .ci/run counts by it
    return int(failed or bool(gate))


if __name__ == "__main__":
    sys.exit(main())
