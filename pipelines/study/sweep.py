"""The sweep: Optuna trials as Spark tasks, logged as MLflow runs, resumed after a crash.

The study and its trials are in the tracking store (`mlflow.optuna`): the next attempt continues a
killed sweep, and executors anywhere share it through MLflow. Each task reads the feature table by
its address and version: no data passes through the driver.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from features.catalog import FEATURES
from pipelines.tables.table_reader import files_of
from training.data.split import part_of
from training.fit import model_features
from training.study.study_results import SweepResult
from training.study.trial import fit_trial, on_one_core, search_point, suggested, trial_flights
from training.tracking.run_files import mlflow_at
from training.tracking.tracking_store import PARENT_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

    from pipelines.runtime.context import RunContext
    from training.models.interface import ModelParameters
    from training.settings import SweepSettings, TrainingSettings
    from training.study.trial import TrialFlights
    from training.tracking.lineage import TableLineage

TREES: Final = "trees"
"""Attribute of a trial: after how many iterations it was best."""
_ATTEMPTS: Final = 3
_TOO_LATE: Final = "the time for trials is over"


@dataclass(frozen=True)
class TrialWork:
    """The objective of the sweep: returns the AUC of an Optuna trial, on any executor.

    Attributes:
        uri: Address of the feature table.
        version: Its Delta version.
        settings: How models are made.
        deadline: Seconds since the epoch after which trials are stopped.
    """

    uri: str
    version: int
    settings: TrainingSettings
    deadline: float

    def __call__(self, trial: Trial) -> float:
        """Return the best AUC of a trial, and set its iterations as an attribute of the trial."""
        sweep = self.settings.sweep
        parameters = suggested(trial, self.settings.model, sweep.iterations)
        auc, iterations = self.fitted(parameters, trial)
        if iterations:
            trial.set_user_attr(TREES, iterations)
        return auc

    def fitted(self, parameters: ModelParameters, trial: Trial | None = None) -> tuple[float, int]:
        """Return the best AUC of parameters, and after how many iterations; reports to a trial."""
        from optuna import TrialPruned  # noqa: PLC0415 - a worker's

        def report(iterations: int, auc: float) -> None:
            if time.time() > self.deadline:
                raise TrialPruned(_TOO_LATE)
            if trial is not None:
                trial.report(auc, iterations)
                if trial.should_prune():
                    raise TrialPruned

        flights = _flights(self.uri, self.version, self.settings)
        model, every = self.settings.model, self.settings.sweep.report_every
        return on_one_core(lambda: fit_trial(flights, model, parameters, every, report))


@lru_cache(maxsize=1)
def _flights(uri: str, version: int, settings: TrainingSettings) -> TrialFlights:
    """Return the flights of all trials of a worker: read once, all of them in the train part."""
    from deltalake import DeltaTable  # noqa: PLC0415 - a worker's

    split, boundary = settings.split, validate_from(settings)
    features = model_features(settings)
    gold = DeltaTable(uri, version=version).to_pyarrow_table(filesystem=files_of(uri))
    inner = split.model_copy(update={"validate_from": boundary, "test_from": split.validate_from})
    train, validate = (part_of(gold, part, FEATURES, inner) for part in ("train", "validate"))
    return trial_flights(train, validate, features)


def validate_from(settings: TrainingSettings) -> datetime:
    """Return from when on trials are ranked: as configured, or from three quarters on."""
    split = settings.split
    named = settings.sweep.validate_from
    return named or split.train_from + 0.75 * (split.validate_from - split.train_from)


def run_sweep(
    context: RunContext, table: TableLineage, *, name: str, parent: str | None = None
) -> SweepResult:
    """Look for better parameters until there were enough trials or the time is over.

    A sweep of the same name is resumed: its trials count, and those that a crash left open are
    marked as failed.

    Args:
        context: Session, tracking store and settings.
        table: The feature table.
        name: Of the sweep.
        parent: The MLflow run that it is shown below.

    Returns:
        What was found, without a comparison on the validate part.
    """
    settings = context.settings.training
    sweep, started = settings.sweep, time.perf_counter()
    work = TrialWork(table.uri, table.version, settings, time.time() + 60 * sweep.minutes)
    _ = context.spark  # the study asks for the active session
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

    with mlflow_at(context.tracking.store), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Optuna calls experimental
        study = _study(context, name, parent)
        for attempt in range(1, _ATTEMPTS + 1):
            _drop_unreadable(context, study)
            _enqueue_current(context, study)
            missing = sweep.trials - sum(_counts(trial) for trial in study.trials)
            if missing <= 0 or time.time() > work.deadline:
                break
            try:
                _optimize(study, work, missing, sweep)
            except MlflowException:
                if attempt == _ATTEMPTS:
                    raise
                with suppress(MlflowException):  # as busy as before, perhaps
                    _end_open_trials(context, str(study._study_id))  # noqa: SLF001 - no public way to it
        _drop_unreadable(context, study)
        trials = study.trials
    return _result(name, trials, settings, time.perf_counter() - started)


def _optimize(study: Study, work: TrialWork, trials: int, sweep: SweepSettings) -> None:
    workers = min(sweep.workers or os.cpu_count() or 1, trials)
    study.optimize(work, n_trials=trials, n_jobs=workers, timeout=60 * sweep.minutes, catch=())


def _drop_unreadable(context: RunContext, study: Study) -> None:
    """Delete the trials whose parameters were written only partly: MLflow cannot read them back.

    It writes a parameter and its range one after the other, and a busy SQLite store may take only
    the first.
    """
    tracking, storage = context.tracking, study._storage  # noqa: SLF001 - no public way to it
    ours = f"tags.`{PARENT_TAG}` = '{study._study_id}'"  # noqa: SLF001 - as above
    for run in tracking.client.search_runs([tracking.experiment_id], ours):
        try:
            storage.get_trial(run.info.run_id)
        except KeyError:
            tracking.client.delete_run(run.info.run_id)


def _study(context: RunContext, name: str, parent: str | None) -> Study:
    """Return the study of that name, new or resumed."""
    import optuna  # noqa: PLC0415 - takes a second
    from mlflow.optuna.storage import MlflowStorage  # noqa: PLC0415 - takes seconds
    from mlflow.pyspark.optuna.study import MlflowSparkStudy  # noqa: PLC0415 - takes seconds

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tracking, sweep = context.tracking, context.settings.training.sweep
    storage = MlflowStorage(tracking.experiment_id)
    study = MlflowSparkStudy(
        name,
        storage,
        sampler=optuna.samplers.TPESampler(seed=sweep.seed, n_startup_trials=6),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=4, n_warmup_steps=2 * sweep.report_every
        ),
        mlflow_tracking_uri=tracking.store,
        direction="maximize",
    )
    run_id = str(study._study_id)  # noqa: SLF001 - no public way to its run
    if parent is not None:
        tracking.client.set_tag(run_id, PARENT_TAG, parent)
    if study.is_resumed_study:
        _end_open_trials(context, run_id)
    found: Study = study
    return found


def _enqueue_current(context: RunContext, study: Study) -> None:
    """Have the parameters in use tried, unless a trial of them is there that has not failed."""
    current = search_point(context.settings.training.model)
    if not any(_tries(trial, current) for trial in study.trials):
        study.enqueue_trial(current)
        study._storage.flush_all_batches()  # type: ignore[attr-defined]  # noqa: SLF001 - no public way


def _end_open_trials(context: RunContext, study_run: str) -> None:
    """Mark the trials that a crash left open as failed: they are not resumed."""
    tracking = context.tracking
    ours = f"tags.`{PARENT_TAG}` = '{study_run}' and attributes.status = 'RUNNING'"
    for run in tracking.client.search_runs([tracking.experiment_id], ours):
        tracking.client.set_terminated(run.info.run_id, "FAILED")


def _result(
    name: str, trials: Sequence[FrozenTrial], settings: TrainingSettings, seconds: float
) -> SweepResult:
    by_state: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        by_state.setdefault(trial.state.name, []).append(trial)
    completed = by_state.get("COMPLETE", [])
    current = search_point(settings.model)
    of_current = [each for each in completed if _tries(each, current)]
    best = max(completed, key=_value, default=None)
    parameters: dict[str, float] = {}
    if best is not None:
        iterations = best.user_attrs.get(TREES)
        parameters = {**best.params, **({"iterations": iterations} if iterations else {})}
    return SweepResult(
        name=name,
        trials=sum(map(_counts, trials)),
        completed=len(completed),
        pruned=len(by_state.get("PRUNED", [])),
        seconds=seconds,
        kept_auc=_value(of_current[0]) if of_current else 0.0,
        best_auc=_value(best) if best is not None else 0.0,
        parameters=parameters,
    )


def _counts(trial: FrozenTrial) -> bool:
    """Return whether a trial counts: one that a crash ended has to be made up for."""
    return trial.state.name in {"COMPLETE", "PRUNED"}


def _tries(trial: FrozenTrial, current: dict[str, float]) -> bool:
    """Return whether a trial that has not failed is of the parameters in use."""
    chosen = trial.system_attrs.get("fixed_params", trial.params)
    return trial.state.name != "FAIL" and all(
        math.isclose(chosen.get(name, math.nan), value, rel_tol=1e-9)
        for name, value in current.items()
    )


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else 0.0
