"""Submits to Databricks: uploads the wheel, updates the job, starts a run and follows it.

Needs the repository, and a workspace named by DATABRICKS_HOST and DATABRICKS_TOKEN or by a profile.
Submitting again while a run is in progress follows that run, also after Ctrl-C.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.deploy.databricks.bundle import job_of
from pipelines.deploy.databricks.connection import connect
from pipelines.deploy.databricks.run_follower import follow
from pipelines.deploy.databricks.workspace import Workspace
from pipelines.deploy.wheel import ROOT, build_wheel

if TYPE_CHECKING:
    from pipelines.deploy.databricks.run_follower import RunEnd

EXIT_CODES: Final = {"succeeded": 0, "failed": 1, "cancelled": 1, "running": 3}
JOBS: Final = {"serverless": "ontime", "cluster": "ontime_on_cluster"}


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is submitted, and how its run is followed.

    Attributes:
        target: A target of databricks.yml.
        compute: `serverless`, or `cluster` for a job cluster.
        stage: Only this stage; None: all.
        force: Run stages even if nothing changed.
        wait: Follow the run to its end.
        timeout_min: For how long it is followed.
        poll_s: How often its state is asked for.
        retry_s: For how long a busy workspace is asked again.
    """

    target: str = "dev"
    compute: str = "serverless"
    stage: str | None = None
    force: bool = False
    wait: bool = False
    timeout_min: float = 240
    poll_s: float = 5
    retry_s: float = 300


def submit(wanted: Submission) -> int:
    """Submit, and follow the run if asked to.

    Returns:
        0: submitted, and with `wait` the run succeeded; 1: it failed or was cancelled; 3: it had
        not ended in time; 130: Ctrl-C while following.

    Raises:
        OntimeError: It could not be done; what has been done already is not done twice.
    """
    try:
        return _submit(wanted)
    except KeyboardInterrupt:
        print(
            "\nNo longer following; the run continues. The same command follows it again.",
            file=sys.stderr,
        )
        return 130


def _submit(wanted: Submission) -> int:
    workspace = Workspace(connect(timeout_s=wanted.retry_s))
    user = workspace.user()
    definition = job_of(ROOT, target=wanted.target, user=user, job=JOBS[wanted.compute])
    with tempfile.TemporaryDirectory() as folder:
        wheel = workspace.put_wheel(build_wheel(Path(folder)), definition.folder)
    print(f"wheel   {wheel}")
    job_id, done = workspace.put_job(definition, wheel)
    print(f"job     {job_id} '{definition.settings['name']}' {done}")
    run_id = workspace.run_in_progress(job_id)
    if run_id is None:
        run_id = workspace.start(
            job_id, token=uuid.uuid4().hex, stage=wanted.stage, force=wanted.force
        )
        print(f"run     {run_id} started{_only(wanted.stage)}")
    else:
        print(f"run     {run_id} is in progress: no other is started")
    print(f"page    {workspace.run(run_id).run_page_url}", flush=True)
    if not wanted.wait:
        print("Follow it with the same command and --wait.")
        return 0
    end = follow(
        workspace,
        run_id,
        say=lambda line: print(line, flush=True),
        poll_s=wanted.poll_s,
        timeout_s=wanted.timeout_min * 60,
    )
    print(_last_line(run_id, end))
    return EXIT_CODES[end.outcome]


def _only(stage: str | None) -> str:
    return f", only its task {stage}" if stage else ""


def _last_line(run_id: int, end: RunEnd) -> str:
    because = f": {end.reason}" if end.reason else ""
    if end.outcome == "running":
        return f"\nRun {run_id} continues{because}. The same command follows it again."
    return f"\nRun {run_id} {end.outcome}{because}"
