"""Follows a run: reports each change of a task's state, and the errors at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from databricks.sdk.service.jobs import RunLifeCycleState, RunResultState

if TYPE_CHECKING:
    from collections.abc import Callable

    from databricks.sdk.service.jobs import Run, RunState, RunTask

    from pipelines.deploy.databricks.workspace import Workspace

ENDED: Final = frozenset(
    {
        RunLifeCycleState.TERMINATED,
        RunLifeCycleState.SKIPPED,
        RunLifeCycleState.INTERNAL_ERROR,
    }
)
_WELL: Final = frozenset({RunResultState.SUCCESS, RunResultState.SUCCESS_WITH_FAILURES})
_TRACE_LINES: Final = 12


@dataclass(frozen=True)
class RunEnd:
    """The outcome of following a run.

    Attributes:
        outcome: `succeeded`, `failed`, `cancelled`, or `running`: it continues.
        reason: The message of the workspace.
    """

    outcome: str
    reason: str = ""


def follow(
    workspace: Workspace,
    run_id: int,
    *,
    say: Callable[[str], None],
    poll_s: float = 5.0,
    timeout_s: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> RunEnd:
    """Report the changes of a run until it has ended; return how.

    Args:
        workspace: Where it runs.
        run_id: The run.
        say: Takes a line for each change, and the error of each task that failed.
        poll_s: Seconds between two requests for its state.
        timeout_s: Seconds after which following ends, and the run continues.
        clock: Seconds, from any start.
        pause: Waits some seconds.

    Raises:
        WorkspaceError: The workspace cannot be reached (any more); the run continues.
    """
    until = clock() + timeout_s
    reported: dict[str, str] = {}
    while True:
        run = workspace.run(run_id)
        for task in _in_order(run):
            _report(task, reported, say)
        if run.state is not None and run.state.life_cycle_state in ENDED:
            _report_errors(workspace, run, say)
            return _end_of(run.state)
        if clock() >= until:
            return RunEnd("running", "it had not ended in time")
        pause(poll_s)


def _in_order(run: Run) -> list[RunTask]:
    """Return the latest attempt of each task, in the order of the job."""
    latest: dict[str, RunTask] = {}
    for task in run.tasks or []:
        before = latest.get(task.task_key)
        if before is None or (task.attempt_number or 0) >= (before.attempt_number or 0):
            latest[task.task_key] = task
    return list(latest.values())


def _report(task: RunTask, reported: dict[str, str], say: Callable[[str], None]) -> None:
    description = _describe(task.state)
    if task.attempt_number:
        description += f" (attempt {task.attempt_number + 1})"
    if reported.get(task.task_key) == description:
        return
    reported[task.task_key] = description
    if description == "waiting":
        return
    seconds = (task.execution_duration or 0) / 1000
    took = f", {seconds:,.0f} s" if description == "done" and seconds else ""
    say(f"  {task.task_key:16} {description}{took}")


def _describe(state: RunState | None) -> str:
    if state is None or state.life_cycle_state is None:
        return "waiting"
    if state.life_cycle_state not in ENDED:
        running = state.life_cycle_state is RunLifeCycleState.RUNNING
        return "running" if running else "waiting"
    if state.result_state in _WELL:
        return "done"
    if state.result_state is RunResultState.CANCELED:
        return "cancelled"
    if state.life_cycle_state is RunLifeCycleState.SKIPPED or state.result_state in {
        RunResultState.UPSTREAM_FAILED,
        RunResultState.UPSTREAM_CANCELED,
        RunResultState.EXCLUDED,
    }:
        return "left out"
    return "failed" if state.result_state is not RunResultState.TIMEDOUT else "timed out"


def _report_errors(workspace: Workspace, run: Run, say: Callable[[str], None]) -> None:
    """Fetch and report the errors of the tasks that failed."""
    for task in _in_order(run):
        if _describe(task.state) not in {"failed", "timed out"} or task.run_id is None:
            continue
        output = workspace.output(task.run_id)
        reason = output.error or (task.state.state_message if task.state else None)
        say(f"\n{task.task_key} failed: {reason or 'the workspace gives no reason'}")
        for line in (output.error_trace or "").splitlines()[-_TRACE_LINES:]:
            say(f"    {line}")
        if task.run_page_url:
            say(f"    {task.run_page_url}")


def _end_of(state: RunState) -> RunEnd:
    reason = state.state_message or ""
    if state.result_state in _WELL:
        return RunEnd("succeeded", reason)
    if state.result_state is RunResultState.CANCELED:
        return RunEnd("cancelled", reason)
    return RunEnd("failed", reason)
