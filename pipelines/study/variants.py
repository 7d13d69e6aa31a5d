"""Model variants: without the tail number, with other horizons, trained on fewer days."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.gold.training_data import read_part
from pipelines.runtime.context import RunContext
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named
from training.data.samples import Sample
from training.evaluate.evaluation import evaluate
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.evaluate.test_part import score_sample
from training.evaluate.threshold import choose_threshold
from training.fit import model_features, naive_features
from training.models.fitted_model import fit_model
from training.settings import TAIL_FAMILY
from training.study.study_results import SizePoint, Variant, variant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.settings import TrainingSettings

SHARES: Final = (0.1, 0.25, 0.5)


@contextmanager
def at_horizon(context: RunContext, horizon_min: int) -> Iterator[RunContext]:
    """Give a context of another horizon, its feature table built; the session is the same one."""
    settings = context.settings
    features = settings.features.model_copy(update={"horizon_min": horizon_min})
    other = RunContext(settings.model_copy(update={"features": features}), context.console)
    other = other.using(spark=context.spark)
    run_stage(stage_named("build_features"), other)
    yield other


def without_tail(settings: TrainingSettings) -> TrainingSettings:
    """Return settings under which a model does without the tail number."""
    families = tuple(dict.fromkeys((*settings.without_families, TAIL_FAMILY)))
    return settings.model_copy(update={"without_families": families})


def measure_variant(
    context: RunContext, settings: TrainingSettings, *, name: str, title: str
) -> Variant:
    """Return the quality of a model that is trained and evaluated by these settings.

    Args:
        context: Session, tables and tracking store; its horizon is the model's.
        settings: How the model is trained and evaluated.
        name: Of the variant, short.
        title: Of the variant, as reported.
    """
    context.console.step(f"fitting: {title}")
    features, schedule = model_features(settings), naive_features(settings)
    train, validate, test = (read_part(context, part) for part in ("train", "validate", "test"))
    model = fit_model(train, validate, features, settings.model)
    naive = fit_model(train, validate, schedule, settings.naive)
    score = model.probabilities(validate.features)
    threshold = choose_threshold(validate.label, score, settings.threshold)
    evaluation = evaluate(score_sample(test, model, naive), threshold, settings.evaluation)
    return variant_of(
        evaluation,
        name=name,
        title=title,
        horizon_min=context.settings.features.horizon_min,
        features=len(features),
    )


def by_flights(
    train: Sample, validate: Sample, settings: TrainingSettings, whole: float
) -> tuple[SizePoint, ...]:
    """Return how good models are on the validate part that learned from some of the days.

    Args:
        train: The train part; the days of a share of it are spread evenly over it.
        validate: The validate part.
        settings: How models are made.
        whole: AUC of the model that learned from all of it.
    """
    points = []
    for share in SHARES:
        part = some_days(train, share)
        # The first days have no history features: trees cannot bin what has no value.
        features = [
            each for each in model_features(settings) if part.features[each.name].notna().any()
        ]
        model = fit_model(part, validate, features, settings.model)
        score = model.probabilities(validate.features)
        ranked = ranking(validate.label, score, bins=settings.evaluation.calibration_bins)
        points.append(SizePoint(len(part), measure(ranked, np.ones(len(validate)), ())[AUC]))
    return (*points, SizePoint(len(train), whole))


def some_days(sample: Sample, share: float) -> Sample:
    """Return the flights of a share of a sample's days, spread evenly over them."""
    days = np.unique(sample.days)
    count = max(1, round(share * days.size))
    chosen = days[np.linspace(0, days.size - 1, count).round().astype(int)]
    inside = np.isin(sample.days, chosen)
    return Sample(
        flights=sample.flights[inside].reset_index(drop=True),
        features=sample.features[inside].reset_index(drop=True),
        label=sample.label[inside],
    )
