from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import run
from pipelines.cli import execute
from pipelines.release.promotion import PromotionRefusedError
from pipelines.runtime.runner import StageReport

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext
    from pipelines.stages import Stage

# What a run with nothing to do needs none of.
LIBRARIES = ("pyspark", "delta", "mlflow", "great_expectations", "sklearn", "pandas", "onnx")
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


def test_deciding_that_nothing_is_new_imports_no_library_of_a_stage() -> None:
    # Given a new process, When it imports what runs the stages
    script = (
        "import sys; import pipelines.run, pipelines.runtime.command; "
        f"print([name for name in {LIBRARIES} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    # Then what only the stages need is not imported
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_mlflow_is_asked_for_dead_runs_only_after_a_kill(
    order: list[str], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    # Given a home where nothing was killed / When all stages run
    execute(["run"])
    # Then no tracking store was opened
    assert order
    assert not (home / "mlflow.db").exists()
    # Given that the holder of the lock was killed / When a stage alone takes over, then all run
    (home / "run.lock").write_text(json.dumps({"pid": 1, "since": "2026-03-01T10:00:00+00:00"}))
    assert execute(["promote"]) == 1
    assert "taking over from a run" in capsys.readouterr().out
    assert not (home / "mlflow.db").exists()
    execute(["run"])
    # Then the store was asked, once
    assert (home / "mlflow.db").exists()
    (home / "mlflow.db").unlink()
    execute(["run"])
    assert not (home / "mlflow.db").exists()
