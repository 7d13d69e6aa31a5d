"""Scores rows of the feature table with the model package that servers load.

Spark passes Arrow batches to Python workers, which score them in columns. The model is part of the
pickled function: workers open no file of the driver, and Spark Connect works the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyspark.sql.functions as F
import pyspark.sql.types as T

from features.contract import feature_contract as contracts
from features.declare import columns as c
from serving.models.model_loader import load_model
from serving.models.model_package import CONTRACT, MODEL, read_model_package
from serving.models.onnx_scorer import OnnxScorer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from features.contract.feature_contract import Contract
    from serving.stores.artifacts.protocol import ArtifactStore

PROBABILITY: Final = "probability"
LATE: Final = "late"
MODEL_NAME: Final = "model_name"
MODEL_VERSION: Final = "model_version"
SCORED_AT: Final = "scored_at"
_IDENTITY: Final = (c.FLIGHT_ID, c.FLIGHT_DATE, c.PREDICTION_TIME)
_SCORED: Final = T.StructType(
    [
        T.StructField(c.FLIGHT_ID, T.StringType()),
        T.StructField(c.FLIGHT_DATE, T.DateType()),
        T.StructField(c.PREDICTION_TIME, T.TimestampType()),
        T.StructField(PROBABILITY, T.DoubleType()),
    ]
)


@dataclass(frozen=True, slots=True)
class BatchModel:
    """A verified model version as it is passed to workers.

    Attributes:
        name: Registered model.
        version: Its version.
        manifest_sha256: Checksum of its package's manifest.
        contract: Its features and its operating threshold.
        model: The model, as the package has it.
        contract_json: The contract, likewise.
    """

    name: str
    version: str
    manifest_sha256: str
    contract: Contract
    model: bytes
    contract_json: bytes


def batch_model(
    store: ArtifactStore, *, model_name: str, version: str, manifest_sha256: str | None = None
) -> BatchModel:
    """Return a published version once it passes all checks of a server.

    Args:
        store: Where its package is.
        model_name: Registered model.
        version: Its version.
        manifest_sha256: The manifest that was released; None takes the one stored.

    Raises:
        ModelRefusedError: A checksum, the contract or the self-test does not hold.
        StoreError: The store cannot be read.
    """
    loaded = load_model(
        store, model_name=model_name, version=version, manifest_sha256=manifest_sha256
    )
    found = loaded.manifest_sha256
    package = read_model_package(
        store, model_name=model_name, version=version, manifest_sha256=found
    )
    return BatchModel(
        name=model_name,
        version=version,
        manifest_sha256=found,
        contract=loaded.contract,
        model=package.files[MODEL],
        contract_json=package.files[CONTRACT],
    )


def inputs_of(rows: DataFrame, contract: Contract) -> DataFrame:
    """Return only what scoring reads of the feature table: identity, and the model's features."""
    return rows.select(*_IDENTITY, *(spec.name for spec in contract.features))


def to_predictions(
    rows: DataFrame, model: BatchModel, *, gold_version: int, scored_at: dt.datetime
) -> DataFrame:
    """Return one prediction per row of the feature table.

    Args:
        rows: Rows of the feature table of the model's horizon.
        model: Scores them.
        gold_version: The Delta version that they are of.
        scored_at: When, UTC.

    Returns:
        Flight, prediction time, probability, whether that is late at the operating threshold, and
        what it was made by and from.
    """
    contract = model.contract
    scored = inputs_of(rows, contract).mapInArrow(
        scoring_function(model.model, model.contract_json), _SCORED
    )
    return scored.select(
        *_SCORED.names,
        (F.col(PROBABILITY) >= contract.operating_threshold).alias(LATE),
        F.lit(model.name).alias(MODEL_NAME),
        F.lit(model.version).alias(MODEL_VERSION),
        F.lit(contract.feature_hash).alias("feature_hash"),
        F.lit(model.manifest_sha256).alias("manifest_sha256"),
        F.lit(gold_version).cast("long").alias("gold_version"),
        F.lit(scored_at).alias(SCORED_AT),
    )


def scoring_function(
    model: bytes, contract_json: bytes
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that a worker runs over its batches."""

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        contract = contracts.from_json(contract_json)
        scorer = OnnxScorer(model, contract)
        for batch in batches:
            numbers, texts = matrices(batch, contract)
            found = pa.array(scorer.score_arrays(numbers, texts))
            columns = [*(batch[name] for name in _IDENTITY), found]
            yield pa.RecordBatch.from_arrays(columns, _SCORED.names)

    return score


def matrices(
    batch: pa.RecordBatch, contract: Contract
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return the numeric and the text features of a batch as the scorer takes them."""
    numbers = np.empty((batch.num_rows, len(contract.numeric)))
    for at, name in enumerate(contract.numeric):
        numbers[:, at] = batch[name].to_numpy(zero_copy_only=False)  # a null becomes NaN
    texts = np.empty((batch.num_rows, len(contract.categorical)), dtype=np.object_)
    for at, name in enumerate(contract.categorical):
        texts[:, at] = batch[name].fill_null("").to_numpy(zero_copy_only=False)
    return numbers, texts
