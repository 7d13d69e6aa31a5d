"""The evaluation report of a trained model: logged with its run, and read from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from training.evaluate.evaluation import Evaluation
from training.evaluate.gates import ExportFigures, GateDecision, Rival
from training.evaluate.importance import Importances
from training.evaluate.quality_metrics import AUC, CALIBRATION_ERROR
from training.tracking import run_files
from training.tracking.run_files import read_file, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.tracking.tracking_store import Tracking


class EvaluationReport(msgspec.Struct, frozen=True):
    """The evaluation of a trained model, and what was decided by it.

    Attributes:
        run_id: The training run.
        evaluation: How good it is on the test part.
        champion: The champion on the same flights; None if there is none.
        export: What was measured of the exported model.
        decision: The results of the gates.
        importances: Permutation importances; None if they were not measured.
    """

    run_id: str
    evaluation: Evaluation
    champion: Rival | None
    export: ExportFigures
    decision: GateDecision
    importances: Importances | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The main figures, by name."""
        found = self.evaluation
        return {
            "auc": found.model[AUC].value,
            "auc_low": found.model[AUC].low,
            "auc_high": found.model[AUC].high,
            "auc_naive": found.naive[AUC].value,
            "ece": found.model[CALIBRATION_ERROR].value,
            "threshold": found.operating.threshold,
            "slices_below_naive": sum(each.auc < each.naive_auc for each in found.slices),
            "export_difference": self.export.largest_difference,
            "row_microseconds": self.export.row_microseconds,
        }


def log_report(
    tracking: Tracking, report: EvaluationReport, *, plots: Mapping[str, bytes], card: bytes
) -> None:
    """Log an evaluation report to the training run, which stays finished.

    Idempotent: everything overwrites what an earlier attempt left. The report itself is written
    last, so that a run with the file is evaluated.

    Args:
        tracking: The tracking store.
        report: The report.
        plots: SVG images by name.
        card: The model card.
    """
    client, run_id = tracking.client, report.run_id
    tracking.log_metrics(run_id, metrics_of(report))
    files = {f"plots/{name}.svg": image for name, image in plots.items()}
    write_files(client, run_id, {**files, run_files.CARD_FILE: card})
    client.set_tag(run_id, "ontime.gates", "passed" if report.decision.passed else "refused")
    write_files(client, run_id, {run_files.EVALUATION_FILE: to_json(report)})


def metrics_of(report: EvaluationReport) -> dict[str, float]:
    """Return a report as the metrics of a run, with the bounds of each interval."""
    evaluation, export = report.evaluation, report.export
    intervals = {"test_over_naive": evaluation.over_naive}
    intervals |= {f"test_{name}": value for name, value in evaluation.model.items()}
    intervals |= {f"test_naive_{name}": value for name, value in evaluation.naive.items()}
    champion = report.champion
    if champion is not None and champion.advantage is not None:
        intervals["test_over_champion"] = champion.advantage
        intervals |= {f"test_champion_{name}": value for name, value in champion.metrics.items()}
    found: dict[str, float] = {}
    for name, value in intervals.items():
        found |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
    if report.importances is not None:
        families = report.importances.families
        found |= {f"auc_lost_without_{each.name}": each.auc_lost for each in families}
    found["export_difference"] = export.largest_difference
    found["export_row_microseconds"] = export.row_microseconds
    found["export_bytes"] = float(export.bytes)
    return found


def read_report(tracking: Tracking, run_id: str) -> EvaluationReport:
    """Return the evaluation report of a run.

    Raises:
        RunFileError: It was not evaluated, or its files are missing.
    """
    found = read_file(tracking.client, run_id, run_files.EVALUATION_FILE)
    return msgspec.json.decode(found, type=EvaluationReport)


def to_json(report: EvaluationReport) -> bytes:
    """Return a report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)
