"""The whole pipeline: all stages in order in one process, with a summary at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from pipelines.release.promotion import PromotionRefusedError
from pipelines.runtime.command import parser_of, run_command
from pipelines.runtime.figures import write_figures
from pipelines.runtime.runner import run_stage
from pipelines.runtime.summary import RunResult, figures_of, summary_of
from pipelines.stages import STAGES
from serving.settings import artifact_store_uri
from training.settings import artifact_root, surrounding_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.runtime.runner import StageReport


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pipeline as a command and return the exit code."""
    parser = parser_of(
        "python -m pipelines.run", "All stages: raw flights to a released model.", ()
    )
    return run_command(parser, (), run_pipeline, argv)


def run_pipeline(context: RunContext, arguments: argparse.Namespace) -> None:
    """Run all stages, print the summary and write the figures.

    Raises:
        PromotionRefusedError: The new version's gates refused it; told after the summary.
        OntimeError: A stage could not do its work; the stages before it are done.
    """
    started = time.perf_counter()
    _end_dead_runs(context)
    reports: list[StageReport] = []
    refusal: PromotionRefusedError | None = None
    for stage in STAGES:
        try:
            reports.append(run_stage(stage, context, force=arguments.force))
        except PromotionRefusedError as error:
            refusal = error
    result = _result(context, reports, time.perf_counter() - started)
    write_figures(result.home, "run", figures_of(result))
    for line in summary_of(result):
        context.console.say(line)
    if refusal is not None:
        raise refusal


def _end_dead_runs(context: RunContext) -> None:
    """Mark MLflow runs of killed processes; who has the lock of a home is alone on its store."""
    around = surrounding_run(context.tracking.store)
    at_home = artifact_root(context.settings.training, context.settings.home) is not None
    killed = context.tracking.kill_dead_runs(around=around, alone=at_home)
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


if __name__ == "__main__":
    sys.exit(main())
