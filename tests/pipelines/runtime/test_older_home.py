"""A home of the version before: its records are read, stages run again or are skipped."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from pipelines.runtime import runner
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext, StageOutcome
from pipelines.runtime.fingerprint import parts_of
from pipelines.runtime.runner import run_stage
from pipelines.runtime.staleness import missing_output
from pipelines.settings import load_settings
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.stages import Stage

# As written before modules had rooms: other paths, no places, outputs that lack what came later.
BEFORE = {
    "fingerprint": "a" * 64,
    "parts": {
        "pipelines/ingest.py": "b" * 64,
        "pipelines/tables.py": "c" * 64,
        "tables.uri": "null",
    },
    "outputs": {
        "silver": {"flights": "d" * 64},
        "table": "gold_features_h120",
        "gold_hash": "d" * 64,
        "run_id": "1" * 32,
        "passed": True,
        "reasons": [],
        "version": "1",
        "manifest_sha256": "e" * 64,
        "outcome": "promote",
    },
    "seconds": 1.5,
    "finished_at": "2026-01-01 00:00:00Z",
}


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    settings = load_settings("dev").model_copy(update={"home": tmp_path})
    (tmp_path / "stages").mkdir()
    for stage in STAGES:
        name = f"{stage.name}_h120" if stage.by_table else stage.name
        (tmp_path / "stages" / f"{name}.json").write_text(json.dumps(BEFORE))
    return RunContext(settings, Console(io.StringIO()))


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_stage_of_an_older_home_sees_changed_parts_and_runs_again(
    context: RunContext, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a record of other parts / When the stage is run, Then it runs, and is skipped after that
    outputs = {**dict.fromkeys(stage.outputs), **BEFORE["outputs"]}  # type: ignore[dict-item]  # a record
    monkeypatch.setattr(runner, "stage_function", lambda _: lambda *_, **__: StageOutcome(outputs))
    monkeypatch.setattr(runner, "missing_output", lambda *_: "")
    assert not run_stage(stage, context).skipped
    assert run_stage(stage, context).skipped


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_record_whose_parts_still_hold_is_checked_without_a_crash(
    context: RunContext, stage: Stage
) -> None:
    # Given a record of the version before with today's parts, in a home that has lost everything
    record = context.records.require(stage.name)
    # When its outputs are checked, Then missing ones are named, or there are none to check
    missing = missing_output(stage, context, record)
    assert parts_of(stage, context)
    # (evaluate leaves nothing of its own; an empty ledger and no release document agree)
    assert bool(missing) == (stage.name not in {"evaluate", "promote"})
