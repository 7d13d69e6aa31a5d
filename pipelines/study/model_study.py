"""The study of a model: itself, variants under other conditions, and a sweep for better parameters.

Its parts are MLflow runs below the study's; the report is also part of the model card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ontime_base.atomic_files import write_atomically
from ontime_base.errors import OntimeError
from pipelines.gold.training_data import read_part, table_lineage
from pipelines.runtime.figures import write_figures
from pipelines.runtime.fingerprint import fingerprint
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named
from pipelines.study.proposal import compared, write_proposal
from pipelines.study.study_report import card_with, lines_of
from pipelines.study.sweep import run_sweep
from pipelines.study.variants import at_horizon, by_flights, measure_variant, without_tail
from training.evaluate.learning_curve import validate_auc
from training.fit import model_features
from training.report.evaluation_report import read_report
from training.study import study_results as studies
from training.study.study_results import Study, SweepResult, Variant, variant_of
from training.tracking.run_files import write_files
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from training.settings import TrainingSettings

HORIZONS: Final = (30, 360)


def study_of(context: RunContext, base: str, parent: str) -> Study:
    """Return the results of studying the model of a run.

    Args:
        context: What every stage is given; train and evaluate have succeeded.
        base: The training run.
        parent: The open run of the study, below which its parts are shown.
    """
    settings = context.settings.training
    variants = _variants(context, base, parent)
    train, validate = read_part(context, "train"), read_part(context, "validate")
    current = load_models(context.tracking, base)[0].probabilities(validate.features)
    context.console.step("fitting to some of the days")
    sizes = by_flights(train, validate, settings, validate_auc(validate, current))
    sweep = _swept(context, parent)
    if sweep is not None:
        context.console.step("the best parameters beside those in use")
        sweep = compared(sweep, train, validate, current, settings)
    return Study(variants, sizes, sweep)


def _variants(context: RunContext, base: str, parent: str) -> tuple[Variant, ...]:
    settings = context.settings.training
    itself = variant_of(
        read_report(context.tracking, base).evaluation,
        name="",
        title="the model",
        horizon_min=context.settings.features.horizon_min,
        features=len(model_features(settings)),
    )
    bare = without_tail(settings)
    found = [itself, _logged(context, parent, "no_tail", "without the tail number", bare)]
    for minutes in HORIZONS:
        with at_horizon(context, minutes) as other:
            title = f"{minutes} min before departure"
            found.append(_logged(other, parent, f"h{minutes}", title, settings))
    return tuple(found)


def _logged(
    context: RunContext, parent: str, name: str, title: str, settings: TrainingSettings
) -> Variant:
    """Return a variant, logged as a run below the study's."""
    tracking = context.tracking
    with tracking.open_run(name, tags={"ontime.variant": name}, parent=parent) as run_id:
        variant = measure_variant(context, settings, name=name, title=title)
        figures = {key.replace(f"_{name}", ""): each for key, each in variant.figures.items()}
        tracking.log_metrics(run_id, figures)
    return variant


def _swept(context: RunContext, parent: str) -> SweepResult | None:
    settings, table = context.settings.training, table_lineage(context)
    if settings.sweep.trials == 0:
        return None
    deciding = {"split", "without_families", "model", "sweep"}
    content = settings.model_dump_json(
        include=deciding, exclude={"sweep": {"trials", "minutes", "workers"}}
    )
    name = f"sweep-{fingerprint({'gold': table.content_hash, 'settings': content})[:8]}"
    context.console.step(f"{name}: up to {settings.sweep.trials} trials")
    return run_sweep(context, table, name=name, parent=parent)


class SuspectedLeakError(OntimeError):
    """A model is too good to be true."""


def study_model(context: RunContext, *, force: bool = False) -> None:
    """Run the stages up to evaluate, study the model, print the report and write its figures.

    The parameters in use stay as they are: better ones are proposed in a file.

    Args:
        context: What every stage is given.
        force: Run the stages before it even if nothing changed.

    Raises:
        SuspectedLeakError: A variant has an AUC from which on a leak is suspected.
    """
    for name in ("ingest", "build_features", "train", "evaluate"):
        run_stage(stage_named(name), context, force=force)
    tracking, reports = context.tracking, context.settings.home / "reports"
    base = str(context.outputs("train")["run_id"])
    with tracking.open_run("study", tags={"ontime.studied_run": base}) as run_id:
        study = study_of(context, base, run_id)
        card = card_with(context, base, study)
        proposal = write_proposal(reports, study.sweep, context.settings.training.model)
        tracking.log_metrics(run_id, study.figures)
        tracking.client.set_tag(run_id, "ontime.proposal", "yes" if proposal else "no")
        files = {"study.json": studies.to_json(study), "card.html": card}
        write_files(tracking.client, run_id, files)
    write_atomically(reports / "model_card.html", card)
    path = write_figures(context.settings.home, "study", study.figures)
    for line in (*lines_of(study, proposal), "", f"figures: {path}"):
        context.console.say(line)
    require_no_leak(study, context.settings.training.gates.suspicious_auc)


def require_no_leak(study: Study, limit: float) -> None:
    """Do nothing if no variant is too good to be true.

    Raises:
        SuspectedLeakError: One is.
    """
    for each in study.variants:
        if each.auc.value >= limit:
            raise SuspectedLeakError(
                f"AUC is {each.auc.value:.4f} for {each.title}, and from {limit} on a leak of the "
                "label is suspected: run `ontime prove no-leak` and look at the newest features."
            )
