"""Ends the MLflow runs of killed processes, and remembers until then that a process was killed.

MLflow takes seconds to import. A run with nothing to do asks it nothing, unless a process that had
the lock of the home was killed since MLflow was last asked; the stage `train` asks it anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from training.environment import surrounding_run
from training.settings import artifact_root

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext

_KILLED: Final = "run.killed"


def remember_kill(home: Path) -> None:
    """Note in the home folder that a process working in it was killed."""
    (home / _KILLED).touch()


def kill_remembered(home: Path) -> bool:
    """Return whether a process was killed whose MLflow runs may not have been ended yet."""
    return (home / _KILLED).exists()


def end_dead_runs(context: RunContext) -> int:
    """Mark the MLflow runs of killed processes as killed, and return how many.

    Who has the lock of a home is alone on its store: a run that `mlflow run` opened there, and that
    is not the one around this process, is of a killed process, too.
    """
    settings = context.settings
    around = surrounding_run(context.tracking.store)
    at_home = artifact_root(settings.training, settings.home) is not None
    killed = context.tracking.kill_dead_runs(around=around, alone=at_home)
    (settings.home / _KILLED).unlink(missing_ok=True)
    return killed
