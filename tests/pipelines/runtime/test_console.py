from __future__ import annotations

import io

from pipelines.runtime.console import Console


def test_a_stage_logs_why_it_runs_its_results_and_its_duration() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.stage_started("ingest", "files to tables", "not done yet")
    console.step("flights: 3 rows read")
    console.stage_ended("ingest", 1.234, ["2 rows in quarantine"])
    console.stage_skipped("train", "nothing changed")
    assert stream.getvalue().splitlines() == [
        "ingest: files to tables (not done yet)",
        "      flights: 3 rows read",
        "      2 rows in quarantine",
        "ingest: done in 1.2 s",
        "train: skipped, nothing changed",
    ]
