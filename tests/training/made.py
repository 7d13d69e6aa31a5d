"""A model of the small world, trained and evaluated once for all tests."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.training.world import FEATURES, gold, settings
from training.data.split import part_of
from training.evaluate.evaluation import evaluate
from training.evaluate.gates import ExportFigures, Rival, decide_gates
from training.evaluate.importance import importances
from training.evaluate.test_part import score_sample
from training.fit import train
from training.report.evaluation_report import EvaluationReport
from training.report.plots import insights_of, plots_of
from training.tracking import lineage

if TYPE_CHECKING:
    from training.data.parts import Part
    from training.data.samples import Sample
    from training.evaluate.evaluation import Scored
    from training.evaluate.importance import Importances
    from training.fit import Trained

EXPORT = ExportFigures(flights=10, largest_difference=0.0, row_microseconds=20, bytes=1000)
LINEAGE = lineage.Lineage(
    fingerprint="f" * 64,
    parts={"scikit-learn": "1"},
    table=lineage.TableLineage("gold_features_h120", "file:///gold", 3, "ab" * 32, 2000),
    horizon_min=120,
    flights={"train": 950, "validate": 480},
    code=lineage.CodeLineage("c" * 40, changed=True, lock_sha256="d" * 64),
    silver=(lineage.TableLineage("silver_flights", "file:///silver", 5, "cd" * 32, 2100),),
)


def part(name: Part, *, seed: int = 0) -> Sample:
    """Return a part of the small world."""
    return part_of(gold(seed=seed), name, FEATURES, settings().split)


def train_again(seed: int = 0) -> Trained:
    """Return a model of the small world."""
    parts = part("train", seed=seed), part("validate", seed=seed)
    return train(*parts, horizon_min=120, settings=settings(), declared=FEATURES)


trained = cache(train_again)


@cache
def scored() -> Scored:
    """Return the test part with the probabilities of that model."""
    return score_sample(part("test"), trained().model, trained().naive)


def evaluated(
    run_id: str = "a-run", champion: Rival | None = None, **over: Any
) -> EvaluationReport:
    """Return the evaluation report of that model, by settings with sections replaced."""
    how = settings(**over)
    evaluation = evaluate(scored(), trained().contract.operating_threshold, how.evaluation)
    decision = decide_gates(evaluation, champion, EXPORT, how.gates)
    return EvaluationReport(run_id, evaluation, champion, EXPORT, decision, model_importances())


@cache
def model_importances() -> Importances:
    """Return the importances of that model."""
    return importances(trained().model, part("test"), FEATURES, settings().evaluation)


@cache
def plots() -> dict[str, bytes]:
    """Return the plots of that model."""
    evaluation = evaluated().evaluation
    insights = insights_of(trained().curve, model_importances(), evaluation)
    return plots_of(scored(), evaluation) | insights
