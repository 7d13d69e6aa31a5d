"""The model card: one self-contained HTML page on a model, its quality and its limits."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from features.catalog import FEATURES
from training.data.parts import bounds_of
from training.evaluate import quality_metrics as m

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.contract.feature_contract import Contract
    from features.declare.declarations import Feature
    from training.data.parts import Part
    from training.evaluate.bootstrap import Interval
    from training.evaluate.evaluation import Evaluation, Slice
    from training.report.evaluation_report import EvaluationReport
    from training.settings import TrainingSettings
    from training.study.study_results import Study
    from training.tracking.lineage import Lineage

_TEMPLATE: Final = "model_card.html"
_NAMES: Final = {
    m.AUC: ("AUC", "chance that a late flight is ranked above one on time", "higher"),
    m.AVERAGE_PRECISION: ("Average precision", "mean precision over all recalls", "higher"),
    m.LOG_LOSS: ("Log loss", "surprise per flight", "lower"),
    m.BRIER: ("Brier score", "mean squared error of the probability", "lower"),
    m.CALIBRATION_ERROR: ("Calibration error", "how far probabilities are from shares", "lower"),
}
_PARTS: Final[tuple[tuple[Part, str], ...]] = (
    ("train", "learned from"),
    ("validate", "threshold chosen on"),
    ("test", "tested on"),
)


@dataclass(frozen=True, slots=True, eq=False)
class CardContent:
    """The content of a model card.

    Attributes:
        report: The evaluation, with the results of the gates.
        contract: The model's inputs and operating threshold.
        lineage: What it was made from.
        plots: SVG images by name, of `training.report.plots`.
        study: The results of a study of the model; None if there was none.
    """

    report: EvaluationReport
    contract: Contract
    lineage: Lineage
    plots: Mapping[str, bytes]
    study: Study | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric of both models, as the card's table shows it."""

    key: str
    name: str
    meaning: str
    better: str
    model: Interval
    naive: Interval


def card_of(
    content: CardContent, settings: TrainingSettings, declared: Sequence[Feature] = FEATURES
) -> bytes:
    """Return the model card as HTML with everything in it.

    Args:
        content: What it shows.
        settings: How the model was trained and evaluated.
        declared: All features that there are.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"share": _share, "around": _around, "signed": _signed}
    report = content.report
    evaluation = report.evaluation
    page = environment.get_template(_TEMPLATE).render(
        run_id=report.run_id,
        contract=content.contract,
        lineage=content.lineage,
        evaluation=evaluation,
        operating=evaluation.operating,
        decision=report.decision,
        champion=report.champion,
        images={name: _data_address(image) for name, image in content.plots.items()},
        rows=_rows(evaluation),
        auc=evaluation.model[m.AUC],
        naive_auc=evaluation.naive[m.AUC],
        calibration=evaluation.model[m.CALIBRATION_ERROR],
        slices=_by_property(evaluation.slices),
        axis=_axis(evaluation.slices),
        families=_families(content.contract, declared),
        parts=_parts(content, settings),
        confidence=settings.evaluation.confidence,
        settings=settings,
        study=content.study,
        importances=report.importances,
    )
    return page.encode()


def _rows(evaluation: Evaluation) -> list[_Row]:
    rows = []
    for key, model in evaluation.model.items():
        recall = key.replace("_", " ").replace(" percent", " %").capitalize()
        found = (recall, "late flights found by calling that share of all late", "higher")
        rows.append(_Row(key, *_NAMES.get(key, found), model=model, naive=evaluation.naive[key]))
    return rows


def _parts(content: CardContent, settings: TrainingSettings) -> list[dict[str, str | int]]:
    flights = {**content.lineage.flights, "test": content.report.evaluation.flights}
    parts: list[dict[str, str | int]] = []
    for part, use in _PARTS:
        start, end = (f"{at:%d %b %Y, %H:%M}Z" for at in bounds_of(part, settings.split))
        parts.append(
            {"part": part, "use": use, "start": start, "end": end, "flights": flights[part]}
        )
    return parts


def _by_property(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    for each in slices:
        found.setdefault(each.by, []).append(each)
    return found


def _families(contract: Contract, declared: Sequence[Feature]) -> dict[str, list[Feature]]:
    names = {spec.name for spec in contract.features}
    found: dict[str, list[Feature]] = {}
    for feature in declared:
        if feature.name in names:
            found.setdefault(feature.family, []).append(feature)
    return found


def _axis(slices: Sequence[Slice]) -> tuple[float, float]:
    """Return the AUC at the left and at the right end of the slices' bars, in tenths."""
    values = [value for each in slices for value in (each.auc, each.naive_auc)] or [0.5, 1.0]
    return int(min(values) * 10) / 10, min(int(max(values) * 10 + 1) / 10, 1.0)


def _data_address(image: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _around(value: Interval) -> str:
    return f"{value.low:.3f} to {value.high:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
