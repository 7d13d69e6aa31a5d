"""Fits a model on the train and validate parts, with its export, contract and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from features.catalog import FEATURES
from features.contract.feature_contract import contract_of
from features.declare.streams import LATE_FROM_MIN
from ontime_base.errors import OntimeError
from training.evaluate.learning_curve import learning_curve
from training.evaluate.quality_metrics import measure, ranking
from training.evaluate.threshold import choose_threshold
from training.models.fitted_model import fit_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from features.contract.feature_contract import Contract
    from features.declare.declarations import Feature
    from training.data.samples import Sample
    from training.evaluate.learning_curve import CurvePoint
    from training.models.fitted_model import FittedModel
    from training.settings import TrainingSettings

_SELF_TEST_ROWS: Final = 24


class TrainingError(OntimeError):
    """A model cannot be trained as the configuration asks."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted model with its export, contract, self-test and metrics.

    Attributes:
        model: The model.
        naive: The naive model, confined to the schedule.
        contract: The model's inputs, and the operating threshold.
        onnx: The model as an ONNX graph.
        self_test: Rows with the model's probabilities, as JSON.
        metrics: Metrics on the validate part, by name, those of the naive model included.
        curve: How good the first trees of the model are.
    """

    model: FittedModel
    naive: FittedModel
    contract: Contract
    onnx: bytes
    self_test: bytes
    metrics: dict[str, float]
    curve: tuple[CurvePoint, ...]


def model_features(
    settings: TrainingSettings, declared: Sequence[Feature] = FEATURES
) -> tuple[Feature, ...]:
    """Return the features that the model uses, in order.

    Raises:
        TrainingError: A family that is to be left out has no features.
    """
    _require_families(settings.without_families, "without_families", declared)
    return tuple(each for each in declared if each.family not in settings.without_families)


def naive_features(
    settings: TrainingSettings, declared: Sequence[Feature] = FEATURES
) -> tuple[Feature, ...]:
    """Return the features that the naive model uses, in order.

    Raises:
        TrainingError: One of its families has no features.
    """
    _require_families(settings.naive_families, "naive_families", declared)
    return tuple(each for each in declared if each.family in settings.naive_families)


def train(
    train_part: Sample,
    validate_part: Sample,
    *,
    horizon_min: int,
    settings: TrainingSettings,
    late_from_min: int = LATE_FROM_MIN,
    declared: Sequence[Feature] = FEATURES,
) -> Trained:
    """Return the fitted model, the naive model beside it, and the export of the first.

    Args:
        train_part: What both learn from.
        validate_part: What the operating threshold is chosen on.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        settings: How.
        late_from_min: Arrival delay from which a flight is labelled late.
        declared: All features that there are.

    Raises:
        TrainingError: A family of features that is named has no features.
    """
    features = model_features(settings, declared)
    schedule = naive_features(settings, declared)
    model = fit_model(train_part, validate_part, features, settings.model)
    naive = fit_model(train_part, validate_part, schedule, settings.naive)
    score = model.probabilities(validate_part.features)
    threshold = choose_threshold(validate_part.label, score, settings.threshold)
    metrics: dict[str, float] = {}
    for prefix, each in (("validate_", model), ("validate_naive_", naive)):
        found = _metrics(each, validate_part, settings)
        metrics |= {f"{prefix}{name}": value for name, value in found.items()}
    return Trained(
        model=model,
        naive=naive,
        contract=contract_of(
            horizon_min, threshold, late_from_min=late_from_min, features=features
        ),
        onnx=model.to_onnx(),
        self_test=self_test_of(model, validate_part.features),
        metrics=metrics,
        curve=learning_curve(model, train_part, validate_part),
    )


def self_test_of(model: FittedModel, features: pd.DataFrame) -> bytes:
    """Return rows with the probabilities that a model gives them, as JSON.

    Real rows, spread over the sample, and two edge cases: one with everything missing, one with
    unknown categories.

    Args:
        model: The fitted model.
        features: Rows to choose from; at least one.
    """
    inputs = features[model.inputs]
    chosen = np.linspace(0, len(inputs) - 1, _SELF_TEST_ROWS).astype(int)
    rows = inputs.iloc[[*chosen, 0, 0]].reset_index(drop=True)
    numbers = rows.columns[[kind == np.float64 for kind in rows.dtypes]]
    texts = rows.columns.difference(numbers)
    missing, strange = len(rows) - 2, len(rows) - 1
    rows.loc[missing, numbers] = np.nan
    rows.loc[missing, texts] = ""
    rows.loc[strange, texts] = "no such category"
    present = rows.notna() & (rows != "")
    cells = rows.astype(object).where(present, None).to_numpy().tolist()
    content = {"rows": cells, "probabilities": model.probabilities(rows).tolist()}
    return msgspec.json.format(msgspec.json.encode(content), indent=0)


def _metrics(model: FittedModel, part: Sample, settings: TrainingSettings) -> dict[str, float]:
    how = settings.evaluation
    score = model.probabilities(part.features)
    ranked = ranking(part.label, score, bins=how.calibration_bins)
    return measure(ranked, np.ones(len(part)), how.alert_rates)


def _require_families(named: Iterable[str], key: str, declared: Sequence[Feature]) -> None:
    known = sorted({feature.family for feature in declared})
    unknown = [family for family in named if family not in known]
    if unknown:
        raise TrainingError(
            f"No feature has the family {unknown[0]!r} of training.{key} in conf/: "
            f"use some of {', '.join(known)}."
        )
