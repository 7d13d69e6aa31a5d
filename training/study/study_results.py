"""The results of a study: the model under other conditions, and better parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from training.evaluate.bootstrap import Interval
from training.evaluate.quality_metrics import AUC, CALIBRATION_ERROR

if TYPE_CHECKING:
    from training.evaluate.evaluation import Evaluation


class Variant(msgspec.Struct, frozen=True):
    """The model under one set of conditions, on the test part.

    Attributes:
        name: Short, for figures: empty for the model itself.
        title: Its display name.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        features: How many features it uses.
        auc: Its AUC.
        naive: AUC of the naive model.
        ece: Expected calibration error.
        slices: Slices with enough flights.
        slices_below_naive: Those in which it ranks worse than the naive model.
    """

    name: str
    title: str
    horizon_min: int
    features: int
    auc: Interval
    naive: Interval
    ece: float
    slices: int
    slices_below_naive: int

    @property
    def figures(self) -> dict[str, float]:
        """The figures by name, with the name of the variant at the end."""
        end = f"_{self.name}" if self.name else ""
        return {
            f"auc{end}": self.auc.value,
            f"auc{end}_low": self.auc.low,
            f"auc{end}_high": self.auc.high,
            f"auc_naive{end}": self.naive.value,
            f"ece{end}": self.ece,
            f"slices_below_naive{end}": self.slices_below_naive,
        }


class SizePoint(msgspec.Struct, frozen=True):
    """A model that learned from some of the days of the train part: AUC on the validate part."""

    flights: int
    validate_auc: float


class SweepResult(msgspec.Struct, frozen=True):
    """The results of a sweep.

    Attributes:
        name: Of the sweep: a sweep of the same name resumes it.
        trials: Trials in all, those of earlier attempts included.
        completed: Those that grew all their trees.
        pruned: Those that were stopped as hopeless, or when the time was over.
        seconds: How long it took, this time.
        kept_auc: AUC of the parameters in use, where trials are ranked; 0 if that trial failed.
        best_auc: AUC of the best trial, there.
        parameters: Its parameters.
        advantage: AUC on the validate part of a model with these parameters, above the model in
            use; None if the parameters in use are the best.
    """

    name: str
    trials: int
    completed: int
    pruned: int
    seconds: float
    kept_auc: float
    best_auc: float
    parameters: dict[str, float]
    advantage: Interval | None = None

    @property
    def proposed(self) -> bool:
        """Whether its parameters are better beyond doubt."""
        return self.advantage is not None and self.advantage.low > 0


class Study(msgspec.Struct, frozen=True):
    """The results of a study.

    Attributes:
        variants: The model itself, then the same under other conditions.
        sizes: The learning curve by flights.
        sweep: What the sweep found; None if there was none.
    """

    variants: tuple[Variant, ...]
    sizes: tuple[SizePoint, ...]
    sweep: SweepResult | None = None

    @property
    def figures(self) -> dict[str, float]:
        """All figures, flat."""
        found = {name: value for each in self.variants for name, value in each.figures.items()}
        if self.sweep is not None:
            found["sweep_trials"] = self.sweep.trials
            found["sweep_pruned"] = self.sweep.pruned
            found["sweep_seconds"] = self.sweep.seconds
            found["sweep_best_auc"] = self.sweep.best_auc
            found["sweep_kept_auc"] = self.sweep.kept_auc
            if self.sweep.advantage is not None:
                found["sweep_advantage"] = self.sweep.advantage.value
                found["sweep_advantage_low"] = self.sweep.advantage.low
        return found


def variant_of(
    evaluation: Evaluation, *, name: str, title: str, horizon_min: int, features: int
) -> Variant:
    """Return an evaluation of a model under some conditions as a variant."""
    below = sum(each.auc < each.naive_auc for each in evaluation.slices)
    return Variant(
        name=name,
        title=title,
        horizon_min=horizon_min,
        features=features,
        auc=evaluation.model[AUC],
        naive=evaluation.naive[AUC],
        ece=evaluation.model[CALIBRATION_ERROR].value,
        slices=len(evaluation.slices),
        slices_below_naive=below,
    )


def to_json(study: Study) -> bytes:
    """Return a study as JSON."""
    return msgspec.json.format(msgspec.json.encode(study), indent=2)
