"""Environment variables: the surrounding MLflow run, and options set before libraries load.

`mlflow run` exports the id of its run; MLflow and OpenMP read their options at import.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SQLITE: Final = "sqlite:///"
# `mlflow.set_tracking_uri` sets the first, and the end of any run removes the second.
_MLFLOW_CHANGES: Final = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")


def surrounding_run(store: str) -> str | None:
    """Return the id of the run that `mlflow run` opened around this process in the same store.

    Args:
        store: Address of the tracking store that this project uses.
    """
    run_id, address = os.environ.get("MLFLOW_RUN_ID"), os.environ.get("MLFLOW_TRACKING_URI")
    return run_id if run_id and address and same_store(store, address) else None


def wait_without_spinning() -> None:
    """Have OpenMP threads sleep while they wait; to be called before scikit-learn is imported.

    By default they spin, and on a machine that does anything else a fit takes ten times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def quiet_mlflow() -> None:
    """Set the log level of MLflow, not imported yet, to warnings, unless it is set already."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")


def fail_fast_mlflow() -> None:
    """Set short time-outs and one retry for MLflow, not imported yet: a person is waiting."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@contextmanager
def mlflow_environment_restored() -> Iterator[None]:
    """Restore the environment variables that MLflow changes within the block."""
    before = {name: os.environ.get(name) for name in _MLFLOW_CHANGES}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def same_store(one: str, other: str) -> bool:
    """Return whether two addresses of a tracking store mean the same store."""
    if not (one.startswith(SQLITE) and other.startswith(SQLITE)):
        return one.rstrip("/") == other.rstrip("/")
    return Path(one.removeprefix(SQLITE)).resolve() == Path(other.removeprefix(SQLITE)).resolve()
