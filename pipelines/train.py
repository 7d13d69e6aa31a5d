"""Stage train: fits a model on the feature table, logged with its lineage to an MLflow run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.declare.columns import SOURCE_CHECKSUM, SOURCE_FILE
from pipelines.gold.training_data import read_part, silver_lineage, table_lineage
from pipelines.runtime.context import StageOutcome
from pipelines.runtime.dead_runs import end_dead_runs
from pipelines.runtime.fingerprint import fingerprint, parts_of
from pipelines.stages import stage_named
from training.environment import surrounding_run
from training.fit import train
from training.tracking.lineage import Lineage, SourceLineage, code_lineage, machine_lineage
from training.tracking.run_files import FINGERPRINT_TAG, TRAINED_FILES
from training.tracking.run_log import log_training

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from pipelines.settings import PipelineSettings


def sources_of(context: RunContext) -> tuple[SourceLineage, ...]:
    """Return every source file in bronze, whether or not it is still where it came from."""

    def files(source: str) -> list[SourceLineage]:
        columns = (SOURCE_FILE, SOURCE_CHECKSUM)
        rows = context.reader.rows(f"bronze_{source}", columns)
        found = rows.group_by(columns).aggregate([]).to_pylist()
        return [SourceLineage(source, row[SOURCE_FILE], row[SOURCE_CHECKSUM]) for row in found]

    names = [source for source, _ in context.settings.sources]
    return tuple(sorted(file for name in names for file in files(name)))


def settings_of_result(settings: PipelineSettings) -> dict[str, Any]:
    """Return the configuration that decides a model, by section, as plain data.

    Where results are stored is left out: it decides nothing, and an address may hold a password.
    """
    return {
        "sources": settings.sources.model_dump(mode="json"),
        "tables": {"columnar": settings.tables.columnar},
        "features": settings.features.model_dump(mode="json"),
        "training": settings.training.model_dump(mode="json", exclude={"tracking_uri"}),
        "serving": {"model_name": settings.serving.model_name},
    }


def run(context: RunContext) -> StageOutcome:
    """Fit the model, unless a finished run has this one already, and log it to a run.

    Args:
        context: What every stage is given.

    Raises:
        SplitError: A part of the split has no flights.
        TrainingError: The configuration names features that do not exist.
    """
    tracking = context.tracking
    killed = end_dead_runs(context)
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
        trained = train(
            learned,
            later,
            horizon_min=horizon,
            settings=settings,
            late_from_min=context.settings.features.late_from_min,
        )
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
