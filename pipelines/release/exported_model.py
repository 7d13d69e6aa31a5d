"""Figures of the exported model and of the champion, measured with the service's scorer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from features.contract import feature_contract as contracts
from serving.models.model_package import CONTRACT, MODEL
from serving.models.onnx_scorer import OnnxScorer
from serving.models.scorer import ScorerError
from training.evaluate.evaluation import auc_difference, quality_of
from training.evaluate.gates import ExportFigures, Rival
from training.evaluate.quality_metrics import AUC
from training.registry.registry_backends import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from features.contract.feature_contract import Contract
    from serving.models.scorer import FeatureValue
    from training.data.samples import Sample
    from training.evaluate.evaluation import Scored
    from training.settings import EvaluationSettings

_BATCH: Final = 4096
_TIMED_ROWS: Final = 1000
_NANOSECONDS: Final = 1000  # in a microsecond


class Versions(Protocol):
    """The part of the registry that is read."""

    def version_of(self, alias: str) -> str | None:
        """Return the version with an alias; None if no version has it."""

    def files(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        """Return exported files of a version."""


def export_figures(
    model: bytes, contract: Contract, sample: Sample, expected: NDArray[np.float64]
) -> ExportFigures:
    """Return the figures of an exported model: difference to scikit-learn, time, size.

    Args:
        model: The exported model.
        contract: Its contract.
        sample: Flights to score, at least one.
        expected: The probabilities that scikit-learn gives them.
    """
    try:
        scorer = OnnxScorer(model, contract)
        found = score(scorer, contract, sample)
    except ScorerError as error:
        return ExportFigures(0, 1.0, 0.0, len(model), (str(error),))
    return ExportFigures(
        flights=len(sample),
        largest_difference=float(np.abs(found - expected).max()),
        row_microseconds=_row_microseconds(scorer, contract, sample),
        bytes=len(model),
    )


def champion_of(
    registry: Versions,
    sample: Sample,
    flights: Scored,
    *,
    candidate: Contract,
    settings: EvaluationSettings,
) -> Rival | None:
    """Return the champion on the candidate's flights; None if there is no champion.

    Args:
        registry: The versions of the model.
        sample: The flights.
        flights: The same with the candidate's probabilities.
        candidate: The candidate's contract.
        settings: How quality is measured.

    Raises:
        RunFileError: The champion's files are missing.
    """
    version = registry.version_of(CHAMPION)
    if version is None:
        return None
    files = registry.files(version, (MODEL, CONTRACT))
    contract = contracts.from_json(files[CONTRACT])
    missing = [spec.name for spec in contract.features if spec.name not in sample.features]
    conflicts = contracts.conflicts_between(candidate, contract)
    if missing:
        problem = f"the feature table has no {', '.join(missing)} any more"
        return Rival(version, problem=problem, conflicts=conflicts)
    probability = score(OnnxScorer(files[MODEL], contract), contract, sample)
    metrics = quality_of(flights, probability, settings)
    return Rival(
        version,
        auc=metrics[AUC].value,
        advantage=auc_difference(flights, probability, settings),
        metrics=metrics,
        conflicts=conflicts,
    )


def score(
    scorer: OnnxScorer, contract: Contract, sample: Sample, *, batch: int = _BATCH
) -> NDArray[np.float64]:
    """Return the scorer's probability of a late arrival of each flight.

    Args:
        scorer: The exported model.
        contract: Its contract.
        sample: The flights.
        batch: How many are scored at a time.
    """
    rows = _batches(contract, sample, batch)
    return np.array([each for some in rows for each in scorer.score(some)])


def _batches(contract: Contract, sample: Sample, size: int) -> Iterator[list[list[FeatureValue]]]:
    inputs = sample.features[[spec.name for spec in contract.features]]
    for start in range(0, len(inputs), size):
        yield inputs.iloc[start : start + size].astype(object).to_numpy().tolist()


def _row_microseconds(scorer: OnnxScorer, contract: Contract, sample: Sample) -> float:
    """Return the median time to score one row, alone."""
    taken = []
    for row in next(_batches(contract, sample, _TIMED_ROWS)):
        started = time.perf_counter_ns()
        scorer.score([row])
        taken.append(time.perf_counter_ns() - started)
    return float(np.median(taken)) / _NANOSECONDS
