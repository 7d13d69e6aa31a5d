"""The artifact paths and tags of a run, shared by tracking and registry."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from training.environment import mlflow_environment_restored, quiet_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from mlflow import MlflowClient

# Tags of a training run: the fingerprint of its inputs, and the URI of its logged model.
FINGERPRINT_TAG: Final = "ontime.training_fingerprint"
MODEL_TAG: Final = "ontime.model_uri"
# Folder of a run's files: all that a server needs of a model.
EXPORTED: Final = "exported"
MODEL_FILE: Final = f"{EXPORTED}/model.onnx"
CONTRACT_FILE: Final = f"{EXPORTED}/contract.json"
SELF_TEST_FILE: Final = f"{EXPORTED}/self_test.json"
CARD_FILE: Final = f"{EXPORTED}/card.html"
NAIVE_FOLDER: Final = "naive"
LINEAGE_FILE: Final = "lineage.json"
CURVE_FILE: Final = "learning_curve.json"
EVALUATION_FILE: Final = "evaluation.json"
# Artifacts that a finished training run must have; if one is missing, the run is repeated.
TRAINED_FILES: Final = (MODEL_FILE, CONTRACT_FILE, SELF_TEST_FILE, LINEAGE_FILE, CURVE_FILE)


class RunFileError(OntimeError):
    """A run does not have a file that it should have."""


def client_of(store: str, registry: str | None = None) -> MlflowClient:
    """Return the client of a tracking store, which is also the registry unless that is named."""
    quiet_mlflow()
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    return MlflowClient(tracking_uri=store, registry_uri=registry or store)


@contextmanager
def mlflow_at(store: str) -> Iterator[ModuleType]:
    """Give the `mlflow` module with a tracking store as its own; afterwards it is as before.

    For what MLflow does with its own store only, whatever client is asked: opening a run, and
    keeping, loading and registering a model.
    """
    quiet_mlflow()
    import mlflow  # noqa: PLC0415 - takes seconds

    with mlflow_environment_restored():
        mlflow.set_tracking_uri(store)
        try:
            yield mlflow
        finally:
            # None makes it look at the environment again, though its types do not say so.
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def write_files(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    """Keep files with a run, by their paths, over any that have the same."""
    with tempfile.TemporaryDirectory() as temporary:
        for path, body in files.items():
            place = Path(temporary, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        client.log_artifacts(run_id, temporary)


def read_file(client: MlflowClient, run_id: str, path: str) -> bytes:
    """Return the bytes of a file of a run.

    Raises:
        RunFileError: The run does not have it.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

    with tempfile.TemporaryDirectory() as temporary:
        try:
            return Path(client.download_artifacts(run_id, path, temporary)).read_bytes()
        except (MlflowException, OSError) as error:
            raise RunFileError(
                f"Run {run_id} has no file {path} in the tracking store: repeat it with "
                "`ontime train --force`, then `ontime evaluate --force`."
            ) from error


def has_file(client: MlflowClient, run_id: str, path: str) -> bool:
    """Return whether a run has a file."""
    folder = path.rpartition("/")[0]
    return path in [each.path for each in client.list_artifacts(run_id, folder or None)]
