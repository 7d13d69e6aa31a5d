"""All that was found out about a trained model: what its run keeps, its card tells, others read."""

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


class Judgement(msgspec.Struct, frozen=True):
    """What was found out about a trained model.

    Attributes:
        run_id: The training run.
        evaluation: How good it is on the test part.
        champion: The champion on the same flights; None if there is none.
        export: What was measured of the exported model.
        decision: What the gates say.
        importances: What the model looks at; None if that was not measured.
    """

    run_id: str
    evaluation: Evaluation
    champion: Rival | None
    export: ExportFigures
    decision: GateDecision
    importances: Importances | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The figures that people ask for first, by name."""
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


def log_judgement(
    tracking: Tracking, judgement: Judgement, *, plots: Mapping[str, bytes], card: bytes
) -> None:
    """Keep what was found out with the training run, which stays the finished run that it is.

    Everything is written over what an earlier attempt left, and the file that says it all comes
    last: with it, the run is judged.

    Args:
        tracking: The tracking store.
        judgement: What was found out.
        plots: SVG images by name.
        card: The model card.
    """
    client, run_id = tracking.client, judgement.run_id
    tracking.log_metrics(run_id, metrics_of(judgement))
    files = {f"plots/{name}.svg": image for name, image in plots.items()}
    write_files(client, run_id, {**files, run_files.CARD_FILE: card})
    client.set_tag(run_id, "ontime.gates", "passed" if judgement.decision.passed else "refused")
    write_files(client, run_id, {run_files.EVALUATION_FILE: to_json(judgement)})


def metrics_of(judgement: Judgement) -> dict[str, float]:
    """Return a judgement as the metrics of a run, with the bounds of each interval."""
    evaluation, export = judgement.evaluation, judgement.export
    intervals = {"test_over_naive": evaluation.over_naive}
    intervals |= {f"test_{name}": value for name, value in evaluation.model.items()}
    intervals |= {f"test_naive_{name}": value for name, value in evaluation.naive.items()}
    champion = judgement.champion
    if champion is not None and champion.advantage is not None:
        intervals["test_over_champion"] = champion.advantage
        intervals |= {f"test_champion_{name}": value for name, value in champion.metrics.items()}
    found: dict[str, float] = {}
    for name, value in intervals.items():
        found |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
    if judgement.importances is not None:
        families = judgement.importances.families
        found |= {f"auc_lost_without_{each.name}": each.auc_lost for each in families}
    found["export_difference"] = export.largest_difference
    found["export_row_microseconds"] = export.row_microseconds
    found["export_bytes"] = float(export.bytes)
    return found


def read_judgement(tracking: Tracking, run_id: str) -> Judgement:
    """Return what was found out about the model of a run.

    Raises:
        RunFileError: It was not evaluated, or its files are gone.
    """
    found = read_file(tracking.client, run_id, run_files.EVALUATION_FILE)
    return msgspec.json.decode(found, type=Judgement)


def to_json(judgement: Judgement) -> bytes:
    """Return a judgement as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(judgement), indent=2)
