"""Stage evaluate: evaluates the trained model on the test part, and applies the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.catalog import FEATURES
from ontime_base.atomic_files import write_atomically
from pipelines.gold.training_data import read_part
from pipelines.release.exported_model import champion_of, export_figures
from pipelines.runtime.context import StageOutcome
from training.evaluate import learning_curve
from training.evaluate.evaluation import evaluate
from training.evaluate.gates import decide_gates
from training.evaluate.importance import importances
from training.evaluate.test_part import score_sample
from training.report.evaluation_report import EvaluationReport, log_report
from training.report.model_card import CardContent, card_of
from training.report.plots import insights_of, plots_of
from training.tracking import lineage
from training.tracking.run_files import CURVE_FILE, LINEAGE_FILE, MODEL_FILE, read_file
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from pipelines.runtime.context import Json, RunContext


def run(context: RunContext) -> StageOutcome:
    """Evaluate the model of the training run, and log the report to that run.

    Args:
        context: What every stage is given.

    Raises:
        RunFileError: The run's files are missing.
        SplitError: The test part has no flights.
    """
    tracking, settings = context.tracking, context.settings.training
    run_id = str(context.outputs("train")["run_id"])
    model, naive, contract = load_models(tracking, run_id)
    sample = read_part(context, "test")
    flights = score_sample(sample, model, naive)
    context.console.step(f"evaluating on {len(sample):,} flights")
    evaluation = evaluate(flights, contract.operating_threshold, settings.evaluation)
    exported = read_file(tracking.client, run_id, MODEL_FILE)
    export = export_figures(exported, contract, sample, flights.score)
    champion = champion_of(
        context.registry, sample, flights, candidate=contract, settings=settings.evaluation
    )
    decision = decide_gates(evaluation, champion, export, settings.policy)
    found = importances(model, sample, FEATURES, settings.evaluation)
    report = EvaluationReport(run_id, evaluation, champion, export, decision, found)
    curve = learning_curve.from_json(read_file(tracking.client, run_id, CURVE_FILE))
    plots = plots_of(flights, evaluation) | insights_of(curve, found, evaluation)
    origin = lineage.from_json(read_file(tracking.client, run_id, LINEAGE_FILE))
    card = card_of(CardContent(report, contract, origin, plots), settings)
    log_report(tracking, report, plots=plots, card=card)
    path = context.settings.home / "reports" / "model_card.html"
    write_atomically(path, card)
    verdict = "passed" if decision.passed else "refused"
    auc, naive_auc = report.figures["auc"], report.figures["auc_naive"]
    notes = (f"AUC {auc:.3f}, naive {naive_auc:.3f}; gates: {verdict}", *decision.refusals)
    outputs: dict[str, Json] = {
        "passed": decision.passed,
        "reasons": list(decision.refusals) or ["all gates passed"],
        "figures": report.figures,
        "report": str(path),
    }
    return StageOutcome(outputs, notes)
