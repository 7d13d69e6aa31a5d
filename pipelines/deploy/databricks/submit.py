"""Submission to Databricks: the wheel and the job brought up to date, a run started and followed.

`python -m pipelines.deploy.databricks.submit --target dev` needs the repository, and a workspace
named by
DATABRICKS_HOST and DATABRICKS_TOKEN or by a profile. Submitting again while a run is in progress
follows that run: so it goes on after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from pipelines.deploy.databricks.bundle import job_of
from pipelines.deploy.databricks.connection import connect
from pipelines.deploy.databricks.run_follower import follow
from pipelines.deploy.databricks.workspace import Workspace
from pipelines.deploy.wheel import ROOT, build_wheel
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.deploy.databricks.run_follower import RunEnd

EXIT_CODES: Final = {"succeeded": 0, "failed": 1, "cancelled": 1, "running": 3}
_JOBS: Final = {"serverless": "ontime", "cluster": "ontime_on_cluster"}


def main(argv: Sequence[str] | None = None) -> int:
    """Submit as a command.

    Returns:
        0: submitted, and with `--wait` the run succeeded; 1: it failed, was cancelled, or could
        not be submitted; 2: wrong arguments; 3: it had not ended in time; 130: Ctrl-C.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        return submit(arguments)
    except OntimeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\n{parser.prog}: no longer following; the run goes on. The same command follows it "
            "again.",
            file=sys.stderr,
        )
        return 130


def submit(arguments: argparse.Namespace) -> int:
    """Bring wheel and job up to date, start or find the run, follow it if asked to.

    Raises:
        OntimeError: It could not be done; what has been done already is not done twice.
    """
    workspace = Workspace(connect(timeout_s=arguments.retry_s))
    user = workspace.user()
    definition = job_of(ROOT, target=arguments.target, user=user, job=_JOBS[arguments.compute])
    with tempfile.TemporaryDirectory() as folder:
        wheel = workspace.put_wheel(build_wheel(Path(folder)), definition.folder)
    print(f"wheel   {wheel}")
    job_id, done = workspace.put_job(definition, wheel)
    print(f"job     {job_id} '{definition.settings['name']}' {done}")
    run_id = workspace.run_in_progress(job_id)
    if run_id is None:
        run_id = workspace.start(
            job_id, token=uuid.uuid4().hex, stage=arguments.stage, force=arguments.force
        )
        print(f"run     {run_id} started{_only(arguments.stage)}")
    else:
        print(f"run     {run_id} is in progress: no other is started")
    print(f"page    {workspace.run(run_id).run_page_url}", flush=True)
    if not arguments.wait:
        print("Follow it with the same command and --wait.")
        return 0
    end = follow(
        workspace,
        run_id,
        say=lambda line: print(line, flush=True),
        poll_s=arguments.poll_s,
        timeout_s=arguments.timeout_min * 60,
    )
    print(_last_line(run_id, end))
    return EXIT_CODES[end.outcome]


def _only(stage: str | None) -> str:
    return f", only its task {stage}" if stage else ""


def _last_line(run_id: int, end: RunEnd) -> str:
    because = f": {end.reason}" if end.reason else ""
    if end.outcome == "running":
        return f"\nRun {run_id} goes on{because}. The same command follows it again."
    return f"\nRun {run_id} {end.outcome}{because}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.deploy.databricks.submit",
        description="Run the pipeline as a Databricks job.",
        allow_abbrev=False,
    )
    parser.add_argument("--target", default="dev", help="target of databricks.yml (default: dev)")
    parser.add_argument(
        "--compute", choices=list(_JOBS), default="serverless", help="where (default: serverless)"
    )
    parser.add_argument(
        "--stage", choices=[stage.name for stage in STAGES], help="only this stage (default: all)"
    )
    parser.add_argument("--force", action="store_true", help="run stages even if nothing changed")
    parser.add_argument("--wait", action="store_true", help="follow the run to its end")
    parser.add_argument("--timeout-min", type=float, default=240, help="follow for (default: 240)")
    parser.add_argument("--poll-s", type=float, default=5, help="look every (default: 5)")
    parser.add_argument(
        "--retry-s", type=float, default=300, help="try again while it is busy for (default: 300)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
