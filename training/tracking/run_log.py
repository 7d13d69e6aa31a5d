"""Logs a fitted model to its MLflow run: parameters, metrics, datasets, model and artifacts."""

from __future__ import annotations

import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from features.contract import feature_contract as contracts
from training.data.parts import bounds_of
from training.environment import wait_without_spinning
from training.evaluate import learning_curve
from training.models.fitted_model import FittedModel
from training.models.kinds import DEFAULT_KIND, KINDS
from training.tracking import lineage as lineages
from training.tracking import run_files
from training.tracking.run_files import RunFileError, mlflow_at, read_file, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow.entities import DatasetInput, Metric

    from features.contract.feature_contract import Contract
    from training.data.parts import Part, SplitSettings
    from training.data.samples import Sample
    from training.evaluate.learning_curve import CurvePoint
    from training.fit import Trained
    from training.models.interface import AnyKind
    from training.settings import TrainingSettings
    from training.tracking.lineage import Lineage, TableLineage
    from training.tracking.tracking_store import Tracking

_LIBRARIES: Final = ("scikit-learn", "numpy", "pandas", "skops")
_EXAMPLE_ROWS: Final = 3
_DIGEST_LENGTH: Final = 36  # MLflow truncates a dataset's digest to this length
_PARTS: Final[tuple[tuple[Part, str], ...]] = (
    ("train", "training"),
    ("validate", "validation"),
    ("test", "testing"),
)


def log_training(
    tracking: Tracking,
    run_id: str,
    *,
    trained: Trained,
    example: Sample,
    lineage: Lineage,
    settings: TrainingSettings,
) -> None:
    """Keep a fitted model, and all that it was made from, with its open run.

    Args:
        tracking: The tracking store.
        run_id: The run, opened by `tracking.open_run`.
        trained: What was fitted.
        example: Some flights, for the model's signature and example.
        lineage: What it was made from.
        settings: How it was made.
    """
    client = tracking.client
    for key, value in params_of(settings).items():
        client.log_param(run_id, key, value)
    tracking.log_metrics(run_id, trained.metrics)
    client.log_batch(run_id, metrics=_curve_metrics(trained.curve))
    for key, value in _lineage_tags(lineage).items():
        client.set_tag(run_id, key, value)
    files = {
        run_files.MODEL_FILE: trained.onnx,
        run_files.CONTRACT_FILE: contracts.to_json(trained.contract),
        run_files.SELF_TEST_FILE: trained.self_test,
        run_files.LINEAGE_FILE: lineages.to_json(lineage),
        run_files.CURVE_FILE: learning_curve.to_json(trained.curve),
    }
    write_files(client, run_id, files)
    client.log_inputs(run_id, _datasets(lineage, settings.split))
    with mlflow_at(tracking.store) as mlflow, tempfile.TemporaryDirectory() as temporary:
        folder = str(Path(temporary, run_files.NAIVE_FOLDER))
        mlflow.sklearn.save_model(
            trained.naive.pipeline, folder, **_described(trained.naive, example)
        )
        client.log_artifacts(run_id, folder, run_files.NAIVE_FOLDER)
        described = _described(trained.model, example)
        logged = mlflow.sklearn.log_model(trained.model.pipeline, name="model", **described)
    client.set_tag(run_id, run_files.MODEL_TAG, logged.model_uri)


def load_models(tracking: Tracking, run_id: str) -> tuple[FittedModel, FittedModel, Contract]:
    """Return the model of a run, its naive model, and its contract.

    Raises:
        RunFileError: The run does not have them.
    """
    wait_without_spinning()
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

    contract = contracts.from_json(read_file(tracking.client, run_id, run_files.CONTRACT_FILE))
    run = tracking.client.get_run(run_id).data
    address = run.tags.get(run_files.MODEL_TAG, "")
    try:
        with mlflow_at(tracking.store) as mlflow:
            model = mlflow.sklearn.load_model(address)
            naive = mlflow.sklearn.load_model(f"runs:/{run_id}/{run_files.NAIVE_FOLDER}")
    except (MlflowException, OSError) as error:
        raise RunFileError(
            f"The models of run {run_id} cannot be loaded from the tracking store ({error}): train "
            "again with `ontime train --force`."
        ) from error
    fitted = FittedModel(kind_of(run.params, "model"), model)
    return fitted, FittedModel(kind_of(run.params, "naive"), naive), contract


def kind_of(params: Mapping[str, str], which: Literal["model", "naive"]) -> AnyKind:
    """Return the kind of a logged model; a run of before there were kinds has the default one."""
    return KINDS[params.get(f"{which}.kind", DEFAULT_KIND)]


def params_of(settings: TrainingSettings) -> dict[str, str]:
    """Return the settings that make the model, by their dotted names."""
    deciding = settings.model_dump(mode="json", include={"split", "without_families", "threshold"})
    for name, model in (("model", settings.model), ("naive", settings.naive)):
        deciding[name] = {"kind": model.kind, **model.parameters.model_dump(mode="json")}
    return dict(_flat("", deciding))


def _flat(prefix: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", str(value)


def _lineage_tags(lineage: Lineage) -> dict[str, str]:
    code, table = lineage.code, lineage.table
    return {
        "mlflow.source.git.commit": code.commit,
        "ontime.code_changed": str(code.changed).lower(),
        "ontime.lock_sha256": code.lock_sha256,
        "ontime.table": f"{table.name} version {table.version}",
        "ontime.content_hash": table.content_hash,
        "ontime.horizon_min": str(lineage.horizon_min),
    }


def _curve_metrics(curve: tuple[CurvePoint, ...]) -> list[Metric]:
    """Return the learning curve as metrics whose steps are trees: MLflow draws it."""
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    now = int(time.time() * 1000)
    return [
        Metric(f"curve_{name}", value, now, point.trees)
        for point in curve
        for name, value in msgspec.structs.asdict(point).items()
        if name != "trees"
    ]


def _datasets(lineage: Lineage, split: SplitSettings) -> list[DatasetInput]:
    """Return what a run reads as its datasets: each part of the feature table, and its sources."""
    inputs = []
    for part, use in _PARTS:
        start, end = (instant.isoformat() for instant in bounds_of(part, split))
        inputs.append(_dataset(lineage.table, f"_{part}", use, {"from": start, "until": end}))
    inputs += [_dataset(table, "", "source", {"rows": table.rows}) for table in lineage.silver]
    return inputs


def _dataset(
    table: TableLineage, suffix: str, use: str, profile: Mapping[str, str | int]
) -> DatasetInput:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource  # noqa: PLC0415 - takes seconds
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - takes seconds

    source = DeltaDatasetSource(path=table.uri, delta_table_version=table.version)
    dataset = Dataset(
        name=f"{table.name}{suffix}",
        digest=table.content_hash[:_DIGEST_LENGTH],
        source_type="delta_table",
        source=source.to_json(),
        profile=msgspec.json.encode({"content_hash": table.content_hash, **profile}).decode(),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", use)])


def _described(model: FittedModel, example: Sample) -> dict[str, Any]:
    """Return the arguments with which MLflow logs a model: skops, signature and libraries.

    skops, unlike pickle, loads only types that are built in or named as trusted.
    """
    from mlflow.models import infer_signature  # noqa: PLC0415 - takes seconds

    rows = example.features[model.inputs].head(_EXAMPLE_ROWS)
    libraries = (*_LIBRARIES, *model.kind.libraries)
    return {
        "signature": infer_signature(rows, model.probabilities(rows)),
        "input_example": rows,
        "pyfunc_predict_fn": "predict_proba",
        "serialization_format": "skops",
        "skops_trusted_types": list(model.kind.trusted_types),
        "pip_requirements": [f"{name}=={version(name)}" for name in libraries],
    }
