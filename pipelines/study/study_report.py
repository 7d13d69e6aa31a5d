"""The results of a study as text, and as a part of the model card.

The card that the training run has stays as it was judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.gold.training_data import read_part
from training.evaluate import learning_curve
from training.evaluate.test_part import score_sample
from training.report.evaluation_report import read_report
from training.report.model_card import CardContent, card_of
from training.report.plots import insights_of, plots_of
from training.tracking import lineage
from training.tracking.run_files import CURVE_FILE, LINEAGE_FILE, read_file
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.runtime.context import RunContext
    from training.study.study_results import Study, SweepResult


def card_with(context: RunContext, run_id: str, study: Study) -> bytes:
    """Return the card of a training run with a study of its model.

    Args:
        context: What every stage is given.
        run_id: The training run, judged.
        study: The results about its model.
    """
    tracking = context.tracking
    report = read_report(tracking, run_id)
    model, naive, contract = load_models(tracking, run_id)
    flights = score_sample(read_part(context, "test"), model, naive)
    origin = lineage.from_json(read_file(tracking.client, run_id, LINEAGE_FILE))
    plots = plots_of(flights, report.evaluation)
    if report.importances is not None:
        curve = learning_curve.from_json(read_file(tracking.client, run_id, CURVE_FILE))
        plots |= insights_of(curve, report.importances, report.evaluation)
    content = CardContent(report, contract, origin, plots, study)
    return card_of(content, context.settings.training)


def lines_of(study: Study, proposal: Path | None) -> list[str]:
    """Return the report, line by line.

    Args:
        study: The results.
        proposal: The file with better parameters; None if there are none.
    """
    lines = [
        "",
        f"{'On the test part':<31}AUC   {'confidence':<17}naive  calibration  slices  below naive",
    ]
    lines += [
        f"  {each.title:<27} {each.auc.value:>7.4f}   {each.auc.low:.3f} to {each.auc.high:.3f}"
        f"   {each.naive.value:>8.4f} {each.ece:>13.4f} {each.slices:>7}"
        f" {each.slices_below_naive:>12}"
        for each in study.variants
    ]
    lines += ["", "Learned from          AUC on the validate part"]
    lines += [f"  {each.flights:>9,} flights  {each.validate_auc:.4f}" for each in study.sizes]
    if study.sweep is not None:
        lines += ["", *_sweep_lines(study.sweep, proposal)]
    return lines


def _sweep_lines(sweep: SweepResult, proposal: Path | None) -> Iterator[str]:
    yield (
        f"{sweep.name}: {sweep.trials} trials in {sweep.seconds:.0f} s, "
        f"{sweep.pruned} of them stopped early"
    )
    yield f"  on the end of the train part: best {sweep.best_auc:.4f}, in use {sweep.kept_auc:.4f}"
    if sweep.advantage is None:
        yield "  the parameters in use are the best that were tried"
        return
    gain = sweep.advantage
    chosen = ", ".join(f"{name} {value:.4g}" for name, value in sorted(sweep.parameters.items()))
    yield f"  best: {chosen}"
    yield (
        f"  on the validate part it gives AUC {gain.value:+.4f} ({gain.low:+.4f} to "
        f"{gain.high:+.4f}) against those in use"
    )
    if proposal is None:
        yield "  which is not better beyond doubt: nothing is proposed"
    else:
        yield f"  to use it, put {proposal} into conf/base.yaml, then `make run`"
