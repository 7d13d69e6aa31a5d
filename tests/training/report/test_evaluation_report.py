"""The evaluation report of a model is stored with its run, and a rerun writes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.training.made import evaluated, plots
from training.evaluate.bootstrap import Interval
from training.evaluate.gates import Rival
from training.evaluate.quality_metrics import AUC
from training.report.evaluation_report import (
    EvaluationReport,
    log_report,
    metrics_of,
    read_report,
    to_json,
)
from training.tracking import run_files
from training.tracking.run_files import RunFileError, read_file

if TYPE_CHECKING:
    from training.tracking.tracking_store import Tracking


@pytest.fixture
def run_id(tracking: Tracking) -> str:
    with tracking.open_run("one", tags={}) as made:
        return made


def test_it_is_read_back_as_it_was(tracking: Tracking, run_id: str) -> None:
    # Given a report that is stored with a finished run
    report = evaluated(run_id)
    log_report(tracking, report, plots=plots(), card=b"<p>")
    # When it is read, Then it is the same, and the run has card, plots, metrics and verdict
    assert read_report(tracking, run_id) == report
    assert read_file(tracking.client, run_id, run_files.CARD_FILE) == b"<p>"
    assert read_file(tracking.client, run_id, "plots/roc.svg") == plots()["roc"]
    run = tracking.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == pytest.approx(metrics_of(report))
    assert run.data.tags["ontime.gates"] == "passed"


def test_a_rerun_leaves_the_same_and_no_second_value(tracking: Tracking, run_id: str) -> None:
    for _ in range(2):
        log_report(tracking, evaluated(run_id), plots=plots(), card=b"<p>")
    assert len(tracking.client.get_metric_history(run_id, f"test_{AUC}")) == 1


def test_an_attempt_that_died_before_the_end_is_no_report(
    tracking: Tracking, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an attempt that was killed before its last file
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking.client, "set_tag", killed)
    with pytest.raises(KeyboardInterrupt):
        log_report(tracking, evaluated(run_id), plots=plots(), card=b"<p>")
    with pytest.raises(RunFileError, match=r"has no file evaluation\.json"):
        read_report(tracking, run_id)
    # When it is made again, Then it is whole
    monkeypatch.undo()
    log_report(tracking, evaluated(run_id), plots=plots(), card=b"<p>")
    assert read_report(tracking, run_id) == evaluated(run_id)


def test_the_first_figures_are_those_of_the_evaluation() -> None:
    report = evaluated()
    figures = report.figures
    auc = report.evaluation.model[AUC]
    assert (figures["auc"], figures["auc_low"], figures["auc_high"]) == (
        auc.value,
        auc.low,
        auc.high,
    )
    assert figures["auc_naive"] == report.evaluation.naive[AUC].value
    assert figures["slices_below_naive"] == 0


def test_the_champion_is_among_the_metrics_if_it_could_be_compared() -> None:
    beaten = Rival("1", 0.6, Interval(0.1, 0.05, 0.15))
    assert metrics_of(evaluated(champion=beaten))["test_over_champion"] == 0.1
    for other in (None, Rival("1", problem="gone")):
        assert "test_over_champion" not in metrics_of(evaluated(champion=other))


def test_every_metric_has_its_interval_and_the_champion_s_beside_it() -> None:
    # Given a champion that was scored on the same flights
    sure = Interval(0.6, 0.5, 0.7)
    beaten = Rival("1", 0.6, Interval(0.1, 0.05, 0.15), metrics={AUC: sure})
    # When the metrics of a run are made, Then all of them are among them, with their bounds
    found = metrics_of(evaluated(champion=beaten))
    for name in evaluated().evaluation.model:
        assert {f"test_{name}{end}" for end in ("", "_low", "_high")} <= set(found)
        assert f"test_naive_{name}_low" in found
    bounds = [found[f"test_champion_auc{end}"] for end in ("", "_low", "_high")]
    assert bounds == [0.6, 0.5, 0.7]
    assert found["test_over_champion_low"] == 0.05
    assert found["auc_lost_without_recent"] > 0


def test_json_holds_all_of_it() -> None:
    report = evaluated(champion=Rival("1", 0.6, Interval(0.1, 0.05, 0.15)))
    assert msgspec.json.decode(to_json(report), type=EvaluationReport) == report
