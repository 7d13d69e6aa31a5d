"""The sweep's best parameters compared with those in use, and the file that proposes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import yaml

from ontime_base.atomic_files import write_atomically
from training.evaluate.evaluation import auc_difference_of
from training.fit import model_features
from training.models.fitted_model import fit_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from training.data.samples import Sample
    from training.models.model_settings import ModelSettings
    from training.settings import TrainingSettings
    from training.study.study_results import SweepResult

FILE: Final = "proposed_parameters.yaml"


def better_parameters(current: ModelSettings, found: dict[str, float]) -> ModelSettings:
    """Return the model in use with the parameters that a sweep found."""
    parameters = current.parameters
    chosen = type(parameters).model_validate({**parameters.model_dump(), **found})
    return current.with_parameters(chosen)


def compared(
    sweep: SweepResult,
    train: Sample,
    validate: Sample,
    current_score: NDArray[np.float64],
    settings: TrainingSettings,
) -> SweepResult:
    """Return a sweep's result with its best parameters beside those in use.

    Both models learn from the whole train part and are compared on the validate part, which the
    sweep has not used, on the same bootstrap samples of days.

    Args:
        sweep: What the sweep found.
        train: The train part.
        validate: The validate part.
        current_score: What the model in use gives the validate part.
        settings: How models are made.
    """
    if not sweep.parameters or sweep.best_auc <= sweep.kept_auc:
        return sweep
    parameters = better_parameters(settings.model, sweep.parameters)
    model = fit_model(train, validate, model_features(settings), parameters)
    score = model.probabilities(validate.features)
    advantage = auc_difference_of(
        validate.label, validate.days, score, current_score, settings.evaluation
    )
    return msgspec.structs.replace(sweep, advantage=advantage)


def write_proposal(folder: Path, sweep: SweepResult | None, current: ModelSettings) -> Path | None:
    """Write parameters that are better beyond doubt, as conf/ wants them; None if there are none.

    A proposal of an earlier study is deleted: it was for another model or sweep.
    """
    path = folder / FILE
    if sweep is None or not sweep.proposed or sweep.advantage is None:
        path.unlink(missing_ok=True)
        return None
    gain = sweep.advantage
    model = better_parameters(current, sweep.parameters).model_dump(mode="json")
    text = yaml.safe_dump({"training": {"model": model}}, sort_keys=False)
    head = (
        f"# Found by {sweep.name}: AUC {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) on\n"
        "# the validate part. To use them, put them into conf/base.yaml and run `make run`.\n"
    )
    write_atomically(path, (head + text).encode())
    return path
