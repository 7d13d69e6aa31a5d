"""The `training` section of the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from ontime_base.configuration import Settings
from training.data.parts import SplitSettings
from training.environment import SQLITE, same_store
from training.models.model_settings import ModelSection


class SweepSettings(Settings):
    """Settings of a sweep: the search for better parameters.

    Attributes:
        validate_from: Instant within the train part: trials learn from the flights before it and
            are ranked on those from it on; null: the last quarter. The validate and test parts are
            not read.
        trials: How many there are at most; 0: no sweep.
        minutes: For how long trials are started; a trial that still runs then is stopped.
        workers: Trials at a time, each on one core; null: as many as this machine has cores. For a
            cluster: as many as it has.
        iterations: Most iterations (trees) of a trial; without effect on a kind without iterations.
        report_every: After so many more iterations a trial reports its AUC, and may be pruned.
        seed: Seed of the sampler.
    """

    validate_from: AwareDatetime | None = None
    trials: int = Field(default=16, ge=0)
    minutes: float = Field(default=6, gt=0)
    workers: int | None = Field(default=None, ge=1)
    iterations: int = Field(default=400, ge=1)
    report_every: int = Field(default=40, ge=1)
    seed: int = Field(default=0, ge=0)


TAIL_FAMILY: Final = "tail"
Share = Annotated[float, Field(gt=0, lt=1)]


class ThresholdSettings(Settings):
    """The choice of the operating threshold on the validation part.

    Attributes:
        criterion: `cost`: least cost of errors; `f1`: highest F1 score; `alert_rate`: a fixed
            share of the flights is called late.
        missed_delay_cost: For `cost`: what a missed delay costs, in false alarms.
        alert_rate: For `alert_rate`: that share.
    """

    criterion: Literal["cost", "f1", "alert_rate"] = "cost"
    missed_delay_cost: float = Field(default=2.0, gt=0)
    alert_rate: Share = 0.2


class EvaluationSettings(Settings):
    """Settings of the evaluation.

    Attributes:
        replicates: Bootstrap samples; each draws whole days, whose flights share their weather.
        confidence: Probability that the intervals cover.
        seed: Seed of the samples.
        calibration_bins: Equal-width bins of the expected calibration error.
        alert_rates: Shares of flights called late at which recall is given.
        slice_flights: Slices with fewer flights are not shown.
        importance_flights: Flights on which the importance of features is measured.
    """

    replicates: int = Field(default=400, ge=10)
    confidence: Share = 0.95
    seed: int = Field(default=0, ge=0)
    calibration_bins: int = Field(default=15, ge=2)
    alert_rates: tuple[Share, ...] = Field(default=(0.05, 0.1, 0.2), min_length=1)
    slice_flights: int = Field(default=500, ge=1)
    importance_flights: int = Field(default=8000, ge=100)


class GatePolicy(Settings):
    """The gates: limits that a candidate must meet to become the challenger.

    Attributes:
        minimum_auc: Least AUC on the test part.
        minimum_auc_without_tail: The same without the tail number; null: no difference is made.
        margin_over_naive: Least AUC above that of the naive model.
        maximum_calibration_error: Largest expected calibration error.
        suspicious_auc: An AUC from here on is taken for a leak.
        tolerated_champion_loss: Largest AUC below the champion's that is accepted even if
            significant.
        slices_below_naive: How many slices may have an AUC below the naive model's.
        maximum_export_difference: Largest difference of a probability, exported model to
            scikit-learn.
        maximum_row_microseconds: Longest median time to score one row with the exported model.
        maximum_export_megabytes: Largest exported model.
    """

    minimum_auc: Share
    minimum_auc_without_tail: Share | None = None
    margin_over_naive: float = Field(ge=0, lt=0.5)
    maximum_calibration_error: Share
    suspicious_auc: Share = 0.95
    tolerated_champion_loss: float = Field(default=0.0, ge=0)
    slices_below_naive: int = Field(default=0, ge=0)
    maximum_export_difference: float = Field(default=1e-6, gt=0)
    maximum_row_microseconds: float = Field(gt=0)
    maximum_export_megabytes: float = Field(gt=0)


class TrainingSettings(Settings):
    """Settings of training and evaluation.

    Attributes:
        experiment: Name of the MLflow experiment.
        tracking_uri: The MLflow tracking store; null: SQLite in the home folder.
        registry_uri: The registry; null: the tracking store. `databricks-uc` is Unity Catalog,
            `databricks` the workspace's own.
        split: The parts of the labelled flights.
        without_families: Families of features that the model does without, such as `tail`.
        naive_families: Families that the naive model is confined to.
        model: Kind and parameters of the model.
        naive: Kind and parameters of the naive model.
        threshold: How the operating threshold is chosen.
        evaluation: How quality is measured.
        gates: What a candidate has to show.
        sweep: The search for better parameters.
    """

    experiment: str = Field(default="ontime", min_length=1)
    tracking_uri: str | None = None
    registry_uri: str | None = None
    split: SplitSettings
    without_families: tuple[str, ...] = ()
    naive_families: tuple[str, ...] = Field(default=("schedule", "calendar"), min_length=1)
    model: ModelSection
    naive: ModelSection
    threshold: ThresholdSettings = ThresholdSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gates: GatePolicy
    sweep: SweepSettings = SweepSettings()

    @property
    def policy(self) -> GatePolicy:
        """The gates for this model: without the tail number, the least AUC is another."""
        lower = self.gates.minimum_auc_without_tail
        without = TAIL_FAMILY in self.without_families and lower is not None
        return self.gates.model_copy(update={"minimum_auc": lower} if without else {})


def tracking_uri(settings: TrainingSettings, home: Path) -> str:
    """Return the address of the tracking store.

    The configured one, else the one that `MLFLOW_TRACKING_URI` names, else SQLite in the home. The
    default of MLflow itself, an existing `mlflow.db`, which `mlflow run` exports, was not
    configured by anyone and is ignored.
    """
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    chosen = named and not same_store(named, f"{SQLITE}{Path.cwd() / 'mlflow.db'}")
    return settings.tracking_uri or (named if chosen else _in_home(home))


def artifact_root(settings: TrainingSettings, home: Path) -> str | None:
    """Return where the files of runs go; None if a tracking store of one's own decides that."""
    at_home = same_store(tracking_uri(settings, home), _in_home(home))
    return (home / "mlartifacts").as_uri() if at_home else None


def _in_home(home: Path) -> str:
    return f"{SQLITE}{home / 'mlflow.db'}"
