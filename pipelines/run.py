"""Runs the whole pipeline: all stages in order in one process, with a summary at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from pipelines.release.promotion import PromotionRefusedError
from pipelines.runtime.dead_runs import end_dead_runs, kill_remembered
from pipelines.runtime.figures import write_figures
from pipelines.runtime.runner import run_stage
from pipelines.runtime.summary import RunResult, figures_of, model_lines, summary_of
from pipelines.stages import STAGES, stage_named
from serving.settings import artifact_store_uri

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pipelines.runtime.context import RunContext
    from pipelines.runtime.runner import StageReport


def run_pipeline(context: RunContext, *, force: bool = False) -> None:
    """Run all stages, print the summary and write the figures.

    Args:
        context: What every stage is given.
        force: Run stages even if nothing changed.

    Raises:
        PromotionRefusedError: The new version's gates refused it; raised after the summary.
        OntimeError: A stage could not do its work; the stages before it are done.
    """
    started = time.perf_counter()
    _end_dead_runs_after_kill(context)
    reports: list[StageReport] = []
    refusal: PromotionRefusedError | None = None
    for stage in STAGES:
        try:
            reports.append(run_stage(stage, context, force=force))
        except PromotionRefusedError as error:
            refusal = error
    result = _result(context, reports, time.perf_counter() - started)
    write_figures(result.home, "run", figures_of(result))
    for line in summary_of(result):
        context.console.say(line)
    if refusal is not None:
        raise refusal


def train_and_evaluate(context: RunContext, *, force: bool = False) -> None:
    """Run the stages up to `evaluate`, print how good the model is, and write its figures.

    Args:
        context: What every stage is given.
        force: Run stages even if nothing changed.

    Raises:
        OntimeError: A stage could not do its work; the stages before it are done.
    """
    _end_dead_runs_after_kill(context)
    last = stage_named("evaluate")
    before = STAGES[: STAGES.index(last)]
    for stage in before:
        run_stage(stage, context, force=force)
    outputs = run_stage(last, context, force=force).outputs
    figures: dict[str, Any] = {**outputs["figures"], "passed": outputs["passed"]}
    path = write_figures(context.settings.home, "train", figures)
    verdict = "passed" if outputs["passed"] else "refused it: " + "; ".join(outputs["reasons"])
    for line in (*model_lines("the trained model", outputs), f"  gates: {verdict}"):
        context.console.say(line)
    context.console.say(f"\nfigures: {path}")


def _end_dead_runs_after_kill(context: RunContext) -> None:
    if kill_remembered(context.settings.home):
        killed = end_dead_runs(context)
        if killed:
            context.console.say(f"{killed} MLflow runs of killed processes: marked as killed")


def _result(context: RunContext, reports: Sequence[StageReport], seconds: float) -> RunResult:
    settings = context.settings
    ledger = read_ledger(context.artifacts)
    return RunResult(
        home=settings.home,
        model=settings.serving.model_name,
        store=artifact_store_uri(settings.serving, settings.home),
        tracking=context.tracking.store,
        address=f"http://{settings.serving.host}:{settings.serving.port}",
        reports=reports,
        seconds=seconds,
        ledger=ledger,
        state=state_at(ledger.entries),
    )
