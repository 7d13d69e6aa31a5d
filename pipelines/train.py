"""Stage train: the feature table to a fitted model, kept with its MLflow run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.command import stage_main
from pipelines.context import StageOutcome
from pipelines.fingerprint import fingerprint, parts_of
from pipelines.gold import read_part, silver_lineage, table_lineage
from pipelines.origins import settings_of_result, sources_of
from pipelines.stages import stage_named
from training.lineage import Lineage, code_lineage, machine_lineage
from training.run_files import FINGERPRINT_TAG, TRAINED_FILES
from training.run_log import log_training
from training.settings import surrounding_run
from training.train import train

if TYPE_CHECKING:
    from pipelines.context import RunContext


def run(context: RunContext) -> StageOutcome:
    """Fit the model, unless a finished run has just this one, and keep it with its run.

    Args:
        context: What every stage is given.

    Raises:
        SplitError: A part of the split has no flights.
        TrainingError: The configuration names features that do not exist.
    """
    tracking = context.tracking
    killed = tracking.kill_dead_runs()
    notes = [f"{killed} dead MLflow runs marked as killed"] if killed else []
    parts = parts_of(stage_named("train"), context, outside={}, arguments={})
    made_from = fingerprint(parts)
    run_id = tracking.finished_run(made_from, TRAINED_FILES)
    if run_id is not None:
        notes.append(f"run {run_id} has this model already: same data, code and configuration")
    else:
        run_id = _train(context, made_from, parts)
        notes.append(f"run {run_id} in {tracking.store}")
    return StageOutcome({"run_id": run_id}, tuple(notes))


def _train(context: RunContext, made_from: str, parts: dict[str, str]) -> str:
    tracking, settings = context.tracking, context.settings.training
    horizon = context.settings.features.horizon_min
    with tracking.open_run(
        f"train-{made_from[:8]}",
        tags={FINGERPRINT_TAG: made_from},
        parent=surrounding_run(tracking.store),
    ) as run_id:
        learned, later = read_part(context, "train"), read_part(context, "validate")
        context.console.step(f"fitting to {len(learned):,} flights")
        trained = train(learned, later, horizon_min=horizon, settings=settings)
        lineage = Lineage(
            fingerprint=made_from,
            parts=parts,
            table=table_lineage(context),
            horizon_min=horizon,
            flights={"train": len(learned), "validate": len(later)},
            code=code_lineage(),
            sources=sources_of(context),
            settings=settings_of_result(context.settings),
            feature_hash=trained.contract.feature_hash,
            machine=machine_lineage(),
            silver=silver_lineage(context),
        )
        log_training(
            tracking, run_id, trained=trained, example=later, lineage=lineage, settings=settings
        )
    return run_id


if __name__ == "__main__":
    sys.exit(stage_main("train"))
