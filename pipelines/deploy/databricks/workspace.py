"""A Databricks workspace: its user, uploads of the wheel, updates of the job, and its runs."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from databricks.sdk.errors import NotFound
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import JobAccessControlRequest, JobSettings
from databricks.sdk.service.workspace import ImportFormat

from pipelines.deploy.databricks.bundle import with_wheel
from pipelines.deploy.databricks.connection import TRANSIENT, WorkspaceError, explained, sentences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob, Run, RunOutput

    from pipelines.deploy.databricks.bundle import JobDefinition

DEFINITION: Final = "definition"
"""The tag of a job that has the checksum of what it was made from."""

_ATTEMPTS: Final = 4
_FIRST_PAUSE_S = 2.0
_ResultT = TypeVar("_ResultT")


class Workspace:
    """A Databricks workspace; calls are idempotent and retried with back-off.

    Args:
        client: The SDK's client. It retries by itself where the workspace cannot be reached, and
            mostly where it is busy (429, 503); all other transient errors are retried here.
        pause: Waits some seconds.
    """

    def __init__(
        self, client: WorkspaceClient, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._pause = pause

    def user(self) -> str:
        """Return the name of the user, or service principal, that we are."""
        me = self._call(self._client.current_user.me)
        if not me.user_name:
            raise WorkspaceError("The workspace does not return a user name: sign in again.")
        return me.user_name

    def put_wheel(self, wheel: Path, folder: str) -> str:
        """Upload a wheel unless it is there already; return its path in the workspace.

        Its folder has the checksum of its bytes in its name: a run in progress is not affected.
        """
        body = wheel.read_bytes()
        target = f"{folder}/wheels/{hashlib.sha256(body).hexdigest()[:16]}"
        path = f"{target}/{wheel.name}"
        if self._exists(path):
            return path
        files = self._client.workspace
        self._call(lambda: files.mkdirs(target))
        # Atomic: the workspace publishes a file once it has all of it.
        self._call(lambda: files.upload(path, body, format=ImportFormat.AUTO, overwrite=True))
        return path

    def put_job(self, definition: JobDefinition, wheel: str) -> tuple[int, str]:
        """Create or update the job from its definition; return its id and the outcome.

        Returns:
            The id, and `created`, `updated` or `unchanged`.

        Raises:
            WorkspaceError: Two jobs have the name: which is ours is not clear.
        """
        settings = with_wheel(definition.settings, wheel)
        digest = hashlib.sha256(
            json.dumps([settings, definition.permissions], sort_keys=True).encode()
        ).hexdigest()[:16]
        settings["tags"] = {**settings.get("tags", {}), DEFINITION: digest}
        wanted = JobSettings.from_dict(settings)
        found = self._job_named(settings["name"])
        if found is not None and _definition_of(found) == digest:
            return _id_of(found), "unchanged"
        jobs = self._client.jobs
        if found is not None:
            job_id, done = _id_of(found), "updated"
            self._permit(job_id, definition)
            self._call(lambda: jobs.reset(job_id, wanted))
            return job_id, done
        job_id = self._create(wanted, settings["name"])
        self._permit(job_id, definition)
        return job_id, "created"

    def run_in_progress(self, job_id: int) -> int | None:
        """Return the newest run of a job that has not ended; None if there is none."""
        runs = self._call(
            lambda: list(self._client.jobs.list_runs(job_id=job_id, active_only=True))
        )
        ids = [run.run_id for run in runs if run.run_id is not None]
        return max(ids, default=None)

    def start(self, job_id: int, *, token: str, stage: str | None, force: bool) -> int:
        """Start a run, unless one was started with this token already; return its id."""
        jobs = self._client.jobs
        wait: Any = self._call(
            lambda: jobs.run_now(
                job_id,
                idempotency_token=token,
                only=[stage] if stage else None,
                job_parameters={"force": "yes"} if force else None,
            )
        )
        return int(wait.run_id)

    def run(self, run_id: int) -> Run:
        """Return a run as it is now."""
        return self._call(lambda: self._client.jobs.get_run(run_id))

    def output(self, task_run_id: int) -> RunOutput:
        """Return the output of the run of one task: its error, if it has one."""
        return self._call(lambda: self._client.jobs.get_run_output(task_run_id))

    def _create(self, wanted: JobSettings, name: str) -> int:
        """Create a job; a retry after a lost answer creates no second one."""

        def create() -> int:
            made = self._job_named(name)
            if made is not None:
                return _id_of(made)
            fields = {key: value for key, value in vars(wanted).items() if value is not None}
            job_id = self._client.jobs.create(**fields).job_id
            if job_id is None:
                raise WorkspaceError(f"The workspace created no job '{name}': try again.")
            return job_id

        return self._call(create)

    def _permit(self, job_id: int, definition: JobDefinition) -> None:
        """Give its permissions to a job, besides those of its owner."""
        allowed = [
            JobAccessControlRequest.from_dict(
                {
                    ("permission_level" if key == "level" else key): value
                    for key, value in each.items()
                }
            )
            for each in definition.permissions
        ]
        if allowed:
            jobs = self._client.jobs
            self._call(lambda: jobs.update_permissions(str(job_id), access_control_list=allowed))

    def _job_named(self, name: str) -> BaseJob | None:
        found = self._call(lambda: list(self._client.jobs.list(name=name)))
        if len(found) > 1:
            ids = ", ".join(str(job.job_id) for job in found)
            raise WorkspaceError(
                f"Jobs {ids} are all named '{name}', and which one is ours is not clear: delete "
                "or rename all but one."
            )
        return found[0] if found else None

    def _exists(self, path: str) -> bool:
        try:
            self._client.workspace.get_status(path)
        except NotFound:
            return False
        except TRANSIENT:
            return False  # then it is uploaded once more
        except DatabricksError as error:
            raise explained(error) from error
        return True

    def _call(self, call: Callable[[], _ResultT]) -> _ResultT:
        for attempt in range(1, _ATTEMPTS):
            try:
                with sentences():
                    return call()
            except TRANSIENT:
                self._pause(_FIRST_PAUSE_S**attempt)
        try:
            with sentences():
                return call()
        except TRANSIENT as error:
            raise WorkspaceError(
                f"The workspace failed {_ATTEMPTS} times ({error}): submit again later; what has "
                "been done already is not done twice."
            ) from error


def _id_of(job: BaseJob) -> int:
    if job.job_id is None:
        raise WorkspaceError("The workspace lists a job without an id: try again.")
    return job.job_id


def _definition_of(job: BaseJob) -> str | None:
    tags = job.settings.tags if job.settings else None
    return (tags or {}).get(DEFINITION)
