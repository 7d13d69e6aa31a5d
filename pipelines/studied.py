"""The parts of a study: the model itself, the same under other conditions, and the sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipelines.fingerprint import fingerprint
from pipelines.gold import read_part, table_lineage
from pipelines.proposal import compared
from pipelines.sweep import run_sweep
from pipelines.variants import at_horizon, by_flights, measure_variant, without_tail
from training import learning
from training.judgement import read_judgement
from training.model import probabilities
from training.run_files import CURVE_FILE, read_file
from training.run_log import load_models
from training.study import Study, SweepResult, Variant, variant_of
from training.train import model_features

if TYPE_CHECKING:
    from pipelines.context import RunContext
    from training.settings import TrainingSettings

HORIZONS: Final = (30, 360)


def study_of(context: RunContext, base: str, parent: str) -> Study:
    """Return what is found out about the model of a run.

    Args:
        context: What every stage is given; train and evaluate have succeeded.
        base: The training run.
        parent: The open run of the study, below which its parts are shown.
    """
    settings = context.settings.training
    variants = _variants(context, base, parent)
    train, validate = read_part(context, "train"), read_part(context, "validate")
    kept = probabilities(load_models(context.tracking, base)[0], validate.features)
    curve = learning.from_json(read_file(context.tracking.client, base, CURVE_FILE))
    context.console.step("fitting to some of the days")
    sizes = by_flights(train, validate, settings, curve[-1].validate_auc)
    sweep = _swept(context, parent)
    if sweep is not None:
        context.console.step("the best parameters beside those in use")
        sweep = compared(sweep, train, validate, kept, settings)
    return Study(variants, sizes, sweep)


def _variants(context: RunContext, base: str, parent: str) -> tuple[Variant, ...]:
    settings = context.settings.training
    itself = variant_of(
        read_judgement(context.tracking, base).evaluation,
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
    """Return a variant, kept as a run below the study's."""
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
