"""The MLflow tracking store: finding, opening and closing training runs, and their files.

Runs are made with the client and opened by their id, so that they never are the run that `mlflow
run` names in the environment: that one is only the parent of ours.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

from training.tracking.processes import ProcessIdentity
from training.tracking.run_files import FINGERPRINT_TAG, client_of, has_file, mlflow_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

PROCESS_TAG: Final = "ontime.process"
PARENT_TAG: Final = "mlflow.parentRunId"
PROJECT_TAG: Final = "mlflow.project.entryPoint"
NAME_TAG: Final = "mlflow.runName"
_RUNNING: Final = "attributes.status = 'RUNNING'"


class Tracking:
    """The runs of one experiment in one tracking store.

    Args:
        store: Address of the tracking store.
        experiment: Name of the experiment; made when it is first needed.
        artifacts: Where the files of its runs go; None if the store decides that.
    """

    def __init__(self, store: str, experiment: str, artifacts: str | None = None) -> None:
        self.store = store
        self._experiment = experiment
        self.artifacts = artifacts

    @cached_property
    def client(self) -> MlflowClient:
        """The client of the store."""
        return client_of(self.store)

    @cached_property
    def experiment_id(self) -> str:
        """The id of the experiment."""
        found = self.client.get_experiment_by_name(self._experiment)
        if found is not None:
            identity: str = found.experiment_id
            return identity
        place = f"{self.artifacts}/{self._experiment}" if self.artifacts else None
        made: str = self.client.create_experiment(self._experiment, artifact_location=place)
        return made

    @contextmanager
    def open_run(
        self, name: str, *, tags: Mapping[str, str], parent: str | None = None
    ) -> Iterator[str]:
        """Open a run and give its id; it ends as FINISHED, or as FAILED after an error.

        Args:
            name: Its display name.
            tags: What it is found by.
            parent: The run that it is shown below; ignored if the store does not have it.
        """
        process = ProcessIdentity.of_this_process().to_text()
        all_tags = {**tags, NAME_TAG: name, PROCESS_TAG: process}
        if parent is not None and self._has(parent):
            all_tags[PARENT_TAG] = parent
            self.client.set_tag(parent, PROCESS_TAG, process)
        run_id: str = self.client.create_run(self.experiment_id, tags=all_tags).info.run_id
        with mlflow_at(self.store) as mlflow, mlflow.start_run(run_id=run_id, nested=True):
            yield run_id

    def finished_run(self, fingerprint: str, files: Iterable[str] = ()) -> str | None:
        """Return the newest finished run of a training fingerprint that still has these files."""
        wanted = f"attributes.status = 'FINISHED' and tags.`{FINGERPRINT_TAG}` = '{fingerprint}'"
        for run in self.client.search_runs([self.experiment_id], wanted):
            if all(has_file(self.client, run.info.run_id, path) for path in files):
                run_id: str = run.info.run_id
                return run_id
        return None

    def kill_dead_runs(self, *, around: str | None = None, alone: bool = False) -> int:
        """Mark the running runs whose process has ended as killed, and return how many.

        A run without a process tag is not changed, unless `mlflow run`
        opened it and no other process can be using this store.

        Args:
            around: The run that `mlflow run` opened around this process.
            alone: Whether this process is the only one that uses the store now.
        """
        experiments = [each.experiment_id for each in self.client.search_experiments()]
        running = self.client.search_runs(experiments, _RUNNING)
        dead = [
            run
            for run in running
            if _is_dead(run) or (alone and _is_unclaimed(run) and run.info.run_id != around)
        ]
        for run in dead:
            self.client.set_terminated(run.info.run_id, "KILLED")
        return len(dead)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Set metrics of a run; those that have their value already are not written again."""
        known = self.client.get_run(run_id).data.metrics
        for name, value in metrics.items():
            if known.get(name) != value:
                self.client.log_metric(run_id, name, value)

    def _has(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

        try:
            self.client.get_run(run_id)
        except MlflowException:
            return False
        return True


def _is_unclaimed(run: Run) -> bool:
    """Return whether `mlflow run` opened a run that no process of ours has called its parent."""
    return PROJECT_TAG in run.data.tags and PROCESS_TAG not in run.data.tags


def _is_dead(run: Run) -> bool:
    process = ProcessIdentity.from_text(run.data.tags.get(PROCESS_TAG, ""))
    return process is not None and process.is_dead()
