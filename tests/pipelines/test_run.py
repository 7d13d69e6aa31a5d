from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import run
from pipelines.cli import execute
from pipelines.release.promotion import PromotionRefusedError
from pipelines.runtime.runner import StageReport
from training.tracking.processes import ProcessIdentity
from training.tracking.tracking_store import PROCESS_TAG, PROJECT_TAG, Tracking

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext
    from pipelines.stages import Stage
    from tests.pipelines.conftest import Recorded

OUTPUTS: dict[str, dict[str, Any]] = {
    "ingest": {
        "received": {"flights": 5},
        "new": {"flights": 5},
        "kept": {"flights": 4},
        "quarantine": {"flights": 1},
        "reasons": [["no tail number", 1]],
        "silver": {"flights": "a" * 64},
        "data_docs": "docs.html",
    },
    "build_features": {"table": "gold_features_h120", "rows": 4, "gold_hash": "d" * 64},
    "evaluate": {
        "passed": False,
        "reasons": ["AUC is 0.61"],
        "figures": {
            "auc": 0.61,
            "auc_low": 0.6,
            "auc_high": 0.62,
            "auc_naive": 0.6,
            "ece": 0.01,
            "slices_below_naive": 2,
        },
        "report": "card.html",
    },
    "register": {"version": "1", "passed": False},
}


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand for the stages: note their order, and refuse the promotion."""
    names: list[str] = []

    def run_stage(stage: Stage, _: RunContext, *, force: bool) -> StageReport:
        names.append(stage.name)
        assert not force
        if stage.name == "promote":
            raise PromotionRefusedError("Version 1 is not promoted: AUC is 0.61.")
        return StageReport(
            stage.name, skipped=False, seconds=1.0, outputs=OUTPUTS.get(stage.name, {})
        )

    monkeypatch.setattr(run, "run_stage", run_stage)
    monkeypatch.setattr(run, "end_dead_runs", lambda _: None)
    return names


def test_a_refused_promotion_ends_the_run_with_1_after_its_summary_and_figures(
    order: list[str], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    code = execute(["run"])
    output = capsys.readouterr()
    assert code == 1
    assert (order[0], order[-1]) == ("ingest", "promote")
    assert "Where the time went" in output.out
    assert output.err == "ontime run: Version 1 is not promoted: AUC is 0.61.\n"
    figures = json.loads((home / "figures" / "run.json").read_text())
    assert (figures["flights"], figures["silver"], figures["quarantine"]) == (5, 4, 1)
    assert figures["model_version"] is None


def test_a_run_as_json_prints_the_figures_also_when_the_promotion_is_refused(
    order: list[str], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert execute(["run", "--json"]) == 1
    assert order[-1] == "promote"
    output = capsys.readouterr()
    assert json.loads(output.out) == json.loads((home / "figures" / "run.json").read_text())
    assert "Where the time went" in output.err


def test_training_stops_after_evaluate_and_has_its_own_figures(
    order: list[str], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    # Given a model that the gates refuse / When it is trained, as `make train` does
    assert execute(["run", "--until", "evaluate"]) == 0
    # Then nothing is registered, and the figures are those of the evaluation
    assert order == ["ingest", "build_features", "train", "evaluate"]
    figures = json.loads((home / "figures" / "train.json").read_text())
    assert {"auc": 0.61, "ece": 0.01, "slices_below_naive": 2, "passed": False}.items() <= (
        figures.items()
    )
    text = capsys.readouterr().out
    assert "the trained model" in text
    assert "gates: refused it: AUC is 0.61" in text
    assert not (home / "figures" / "run.json").exists()


def test_runs_of_killed_processes_are_marked_and_living_ones_are_not(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given runs of a dead process, of this one, a project run left behind, and the one around us
    tracking: Tracking = recorded.context.tracking
    client = tracking.client
    dead = json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1, "started": ""})
    alive = ProcessIdentity.of_this_process().to_text()
    runs = {
        name: client.create_run(tracking.experiment_id, tags=tags).info.run_id
        for name, tags in {
            "dead": {PROCESS_TAG: dead},
            "alive": {PROCESS_TAG: alive},
            "left": {PROJECT_TAG: "main"},
            "around": {PROJECT_TAG: "main"},
            "foreign": {},
        }.items()
    }
    monkeypatch.setenv("MLFLOW_RUN_ID", runs["around"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.store)
    # When a run starts
    run.end_dead_runs(recorded.context)
    # Then those that cannot be alive are marked as killed
    status = {name: client.get_run(run_id).info.status for name, run_id in runs.items()}
    assert status == {
        "dead": "KILLED",
        "alive": "RUNNING",
        "left": "KILLED",
        "around": "RUNNING",
        "foreign": "RUNNING",
    }
