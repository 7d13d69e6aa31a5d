"""What a study reports, and that a model that is too good ends it in an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipelines.cli import execute
from pipelines.study.model_study import SuspectedLeakError, require_no_leak
from pipelines.study.study_report import lines_of
from tests.training.study.test_study_results import SWEEP, study
from training.evaluate.bootstrap import Interval
from training.tracking.tracking_store import PARENT_TAG, Tracking


def test_the_report_has_a_line_for_every_variant_and_size() -> None:
    text = "\n".join(lines_of(study(), None))
    for expected in ("the model", "without the tail number", "100 flights", "8 trials in 60 s"):
        assert expected in text
    assert "the parameters in use are the best" in text


@pytest.mark.parametrize(
    ("low", "proposal", "expected"),
    [
        (0.001, Path("/home/proposed.yaml"), "put /home/proposed.yaml into conf/base.yaml"),
        (-0.001, None, "not better beyond doubt"),
    ],
)
def test_the_report_describes_what_to_do_with_the_result_of_the_sweep(
    low: float, proposal: Path | None, expected: str
) -> None:
    better = msgspec.structs.replace(SWEEP, advantage=Interval(0.01, low, 0.02))
    found = msgspec.structs.replace(study(), sweep=better)
    assert expected in "\n".join(lines_of(found, proposal))


def test_a_model_that_is_too_good_is_an_error_with_its_figure() -> None:
    require_no_leak(study(), 0.95)
    with pytest.raises(SuspectedLeakError, match="a leak of the label is suspected"):
        require_no_leak(study(), 0.7)


def test_the_help_names_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["study", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("--trials", "--minutes", "--workers"))


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_the_whole_study_of_a_small_world_makes_what_is_missing(
    small_conf: Path, tmp_path: Path
) -> None:
    # Given an empty home, When the model of two weeks is studied, with a sweep of three trials
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    home = {"ONTIME_HOME": str(tmp_path), "ONTIME_CONF": str(small_conf), "ONTIME_ENV": "dev"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "study", "--trials", "3", "--minutes", "5"],
        env=clean | home,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    # Then it has figures for every variant
    figures = json.loads((tmp_path / "figures" / "study.json").read_text())
    for end in ("", "_no_tail", "_h30", "_h360"):
        wanted = {f"{name}{end}" for name in ("auc", "auc_naive", "ece", "slices_below_naive")}
        assert wanted | {f"auc{end}_low", f"auc{end}_high"} <= set(figures)
    assert figures["sweep_trials"] == 3
    # And all of it is in MLflow, below one run
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", "ontime")
    wanted_runs = "tags.`ontime.studied_run` != ''"
    (run,) = tracking.client.search_runs([tracking.experiment_id], wanted_runs)
    below = tracking.client.search_runs(
        [tracking.experiment_id], f"tags.`{PARENT_TAG}` = '{run.info.run_id}'"
    )
    names = {each.info.run_name for each in below}
    assert {"no_tail", "h30", "h360"} < names
    assert any(name.startswith("sweep-") for name in names)
    # And the card reports it
    assert "30 min before departure" in (tmp_path / "reports" / "model_card.html").read_text()
