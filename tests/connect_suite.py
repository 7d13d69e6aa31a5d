"""`make test-connect`: the Spark tests of features and pipelines against a Spark Connect session.

What Databricks serverless runs is Spark Connect: no RDD, no `sparkContext`, no `_jvm`. The tests
are those that `make test` runs against a classic session; how they ended is written to
`figures/connect.json`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REMOTE = "local[2]"
FEWEST = 50
"""Fewer tests than that have been left out by mistake."""


class Outcomes:
    """A pytest plugin that counts how tests end."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: by its call, or where it did not get there."""
        if report.when == "call" or report.failed or (report.when == "setup" and report.skipped):
            self.counts[report.outcome] += 1


def main(arguments: list[str]) -> int:
    """Run the tests, write the figures, and return the exit code."""
    sys.path.insert(0, str(ROOT))
    from pipelines.runtime.figures import write_figures  # noqa: PLC0415 - found from the root
    from pipelines.settings import load_settings  # noqa: PLC0415

    outcomes, started = Outcomes(), time.monotonic()
    picked = arguments or ["tests/features", "tests/pipelines"]
    options = ["-m", "spark and not slow", f"--spark-remote={REMOTE}", "-p", "no:cacheprovider"]
    code = int(pytest.main([*options, *picked], plugins=[outcomes]))
    passed, failed = outcomes.counts["passed"], outcomes.counts["failed"]
    figures = {
        "passed": passed,
        "failed": failed,
        "skipped": outcomes.counts["skipped"],
        "seconds": round(time.monotonic() - started, 1),
    }
    path = write_figures(load_settings("dev").home, "connect", figures)
    print(f"{passed} passed, {failed} failed under Spark Connect; figures: {path}")  # noqa: T201
    if not arguments and passed <= FEWEST:
        print(f"test-connect: only {passed} tests ran; more than {FEWEST} should")  # noqa: T201
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
