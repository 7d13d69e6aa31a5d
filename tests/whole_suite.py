"""`make test`, `make test-full` and `make test-connect`: whole suites of tests.

The first two run in two processes that share them: a process claims one test module after the other
(tests/shared_modules.py), so each test runs once and both cores are busy to the end. All tests that
use the Spark session run in one of the two; so the third has one process: PySpark starts its local
Spark Connect server on a fixed port. Lines are printed as they come. The coverage of `test` is
combined and held to its limit. How the tests ended, and after how many seconds, is written to the
figures: `test.json`, `test-full.json`, `connect.json`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
REMOTE: Final = "local[2]"
FEWEST: Final = 50
"""Fewer tests under Spark Connect have been left out by mistake."""

_CLOSING: Final = re.compile(r"^=+ .* in [0-9.]+s.* =+$")
_COUNTED: Final = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True)
class Suite:
    """What one or two processes of pytest run together.

    Attributes:
        tests: The expression that picks the tests by their marks.
        roles: The role of each process (tests/shared_modules.py).
        arguments: Of each.
        covered: Whether coverage is measured and held to its limit.
        figures: The name of its figures; its own unless given.
    """

    tests: str
    roles: tuple[str, ...] = ("with-session", "without-session")
    arguments: tuple[str, ...] = ()
    covered: bool = False
    figures: str = ""


SUITES: Final = {
    "test": Suite("not slow", covered=True),
    "test-full": Suite("slow"),
    # What Databricks serverless runs is Spark Connect: no RDD, no `sparkContext`, no `_jvm`.
    "test-connect": Suite(
        "spark and not slow",
        roles=("all",),
        arguments=(f"--spark-remote={REMOTE}", "tests/features", "tests/pipelines"),
        figures="connect",
    ),
}


def run_part(suite: Suite, number: int, claims: str) -> tuple[int, str]:
    """Run one process and print its lines; return its exit code and the closing line."""
    command = [sys.executable, "-m", "pytest", "-m", suite.tests, *suite.arguments]
    command += ["-p", "tests.shared_modules", f"--claims={claims}", f"--role={suite.roles[number]}"]
    command += ["-p", "no:cacheprovider"]  # two processes would overwrite one cache
    if suite.covered:
        command += ["--cov", "--cov-report=", "--cov-fail-under=0"]
    env = os.environ | {"COVERAGE_FILE": str(ROOT / f".coverage.{number}"), "PYTHONUNBUFFERED": "1"}
    closing = f"{number}: pytest ended without a closing line"
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if _CLOSING.match(line):
                closing = line.rstrip()
            else:
                sys.stdout.write(f"{number} | {line}")
                sys.stdout.flush()
    return process.returncode, closing


def coverage(*arguments: str) -> int:
    """Run a command of coverage and return its exit code."""
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def counts_in(closings: list[str]) -> Counter[str]:
    """Return how many tests ended in each way, by the closing lines of pytest."""
    counts: Counter[str] = Counter()
    for closing in closings:
        counts.update({word: int(number) for number, word in _COUNTED.findall(closing)})
    return counts


def write_counts(suite: str, counts: Counter[str], seconds: float) -> None:
    """Write how the tests of a suite ended, and how long it took."""
    sys.path.insert(0, str(ROOT))
    from pipelines.runtime.figures import write_figures  # noqa: PLC0415 - found from the root
    from pipelines.settings import load_settings  # noqa: PLC0415

    figures = {name: counts[name] for name in ("passed", "failed", "skipped")}
    path = write_figures(load_settings("dev").home, suite, figures | {"seconds": round(seconds, 1)})
    print(f"{counts['passed']} passed in {seconds:.0f} s; figures: {path}")  # noqa: T201


def main(name: str) -> int:
    """Run a suite; return 0 if all tests passed, and its gate did."""
    suite, started = SUITES[name], time.monotonic()
    processes = range(len(suite.roles))
    with tempfile.TemporaryDirectory() as claims, ThreadPoolExecutor(len(processes)) as pool:
        results = list(pool.map(lambda number: run_part(suite, number, claims), processes))
    # A process that found every module claimed has run no test, which pytest reports as a failure.
    failed = any(code not in {0, 5} for code, _ in results) or all(code for code, _ in results)
    closings = [closing for _, closing in results]
    if suite.covered:
        failed |= bool(coverage("combine", "--quiet") or coverage("report"))
    counts = counts_in(closings)
    write_counts(suite.figures or name, counts, time.monotonic() - started)
    failed |= name == "test-connect" and counts["passed"] <= FEWEST
    print(*closings, sep="\n")  # noqa: T201 - how many tests passed; .ci/run counts by it
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
