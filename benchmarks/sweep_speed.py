"""The same fixed trials by one Spark task and by two, through the study that the sweep uses."""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Final

from training.tracking.run_files import mlflow_at
from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import Trial

    from pipelines.study.sweep import TrialWork
    from training.models.interface import ModelParameters
    from training.models.model_settings import ModelSettings

TRIALS: Final = 8
_TREES: Final = 40


class FixedTrials:
    """An objective that tries a fixed list of parameters and ignores the study's suggestions.

    Args:
        work: Grows trees on the flights of the sweep, on one core.
        parameters: The parameters of each trial.
        workers: Tasks that share the list: each tries every n-th entry of it, n being their number.
    """

    def __init__(
        self, work: TrialWork, parameters: Sequence[ModelParameters], workers: int
    ) -> None:
        self.work, self.parameters, self.workers = work, tuple(parameters), workers
        self.done = 0

    def __call__(self, trial: Trial) -> float:
        """Return the AUC of the next parameters of this task's share."""
        from pyspark import TaskContext  # noqa: PLC0415 - of the task

        task = TaskContext.get()
        partition = task.partitionId() if task is not None else 0
        parameters = self.parameters[partition + self.workers * self.done]
        self.done += 1
        trial.set_user_attr("seed", parameters.seed)
        return self.work.fitted(parameters)[0]


def fixed_parameters(current: ModelSettings, trees: int = _TREES) -> list[ModelParameters]:
    """Return the trials: two of each size, so that two workers have the same to do."""
    sizes = (31, 63, 31, 63)
    return [
        current.parameters.model_copy(
            update={"leaves": sizes[at // 2], "seed": at, "iterations": trees}
        )
        for at in range(TRIALS)
    ]


def speed_up(work: TrialWork, current: ModelSettings) -> dict[str, float]:
    """Return the seconds that the fixed trials take on one and on two cores, and their ratio.

    The workers have been started and have read the flights before the clock runs: a sweep of any
    length pays that once.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/mlflow.db"
        tracking = Tracking(store, "speed", f"file://{folder}/artifacts")
        tiny = fixed_parameters(current, trees=1)
        _seconds(tracking, FixedTrials(work, tiny, 2), workers=2, name="warm")
        trials = fixed_parameters(current)
        one = _seconds(tracking, FixedTrials(work, trials, 1), workers=1, name="one")
        two = _seconds(tracking, FixedTrials(work, trials, 2), workers=2, name="two")
    return {
        "sweep_seconds_1_core": one,
        "sweep_seconds_2_cores": two,
        "sweep_speedup_2_cores": one / two,
    }


def _seconds(tracking: Tracking, objective: FixedTrials, *, workers: int, name: str) -> float:
    import optuna  # noqa: PLC0415 - takes a second
    from mlflow.optuna.storage import MlflowStorage  # noqa: PLC0415 - takes seconds
    from mlflow.pyspark.optuna.study import MlflowSparkStudy  # noqa: PLC0415 - takes seconds

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with mlflow_at(tracking.store), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = MlflowSparkStudy(
            name,
            MlflowStorage(tracking.experiment_id),
            mlflow_tracking_uri=tracking.store,
            direction="maximize",
        )
        started = time.perf_counter()
        study.optimize(objective, n_trials=TRIALS, n_jobs=workers)
        seconds = time.perf_counter() - started
        found = sorted(trial.user_attrs["seed"] for trial in study.trials)
    assert found == list(range(TRIALS)), "every trial of the list once"
    return seconds
