"""The function that Spark's workers run, and what the driver passes to them, without Spark."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark import cloudpickle

from features.contract.feature_contract import to_json
from features.declare import columns as c
from pipelines.batch.batch_predictions import batch_model, matrices, scoring_function
from serving.models.model_loader import ModelRefusedError
from serving.models.onnx_scorer import OnnxScorer
from serving.stores.artifacts.local import FolderArtifactStore
from tests.pipelines.real_parts import gold
from tests.pipelines.scored_world import release_small_model, small_model

if TYPE_CHECKING:
    from pathlib import Path


def test_batches_are_scored_as_the_service_scores_rows() -> None:
    # Given the feature table in uneven batches
    made, rows = small_model(), gold().slice(0, 2_500)
    batches = rows.to_batches(max_chunksize=999)
    # When a worker's function scores them
    score = scoring_function(made.onnx, to_json(made.contract))
    found = list(score(batches))
    # Then each row has the probability that the service's scorer gives it, alone
    assert [batch.num_rows for batch in found] == [999, 999, 502]
    names = [spec.name for spec in made.contract.features]
    scorer = OnnxScorer(made.onnx, made.contract)
    alone = [scorer.score([list(row.values())])[0] for row in rows.select(names).to_pylist()]
    together = np.concatenate([batch["probability"].to_numpy() for batch in found])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-15)
    # And flights are in order
    ids = [one for batch in found for one in batch[c.FLIGHT_ID].to_pylist()]
    assert ids == rows[c.FLIGHT_ID].to_pylist()


def test_null_is_nan_in_numbers_and_empty_in_texts() -> None:
    contract = small_model().contract
    rows = gold().slice(0, 4_000)
    (batch,) = rows.combine_chunks().to_batches()
    numbers, texts = matrices(batch, contract)
    for at, name in enumerate(contract.numeric):
        assert np.isnan(numbers[:, at]).sum() == batch[name].null_count, name
    assert np.isnan(numbers).any()
    assert not (texts == None).any()  # noqa: E711 - element by element


def test_the_function_for_workers_is_small_and_pickles() -> None:
    made = small_model()
    score = scoring_function(made.onnx, to_json(made.contract))
    sent: bytes = cloudpickle.dumps(score)  # type: ignore[no-untyped-call] # is not typed
    assert callable(pickle.loads(sent))  # noqa: S301 - our own, just made
    assert len(sent) < len(made.onnx) + 100_000


def test_a_version_is_taken_only_as_it_was_released(tmp_path: Path) -> None:
    # Given a released version
    store = FolderArtifactStore(tmp_path / "store")
    manifest = release_small_model(store)
    model = batch_model(store, model_name="ontime", version="1", manifest_sha256=manifest)
    assert (model.version, model.manifest_sha256) == ("1", manifest)
    assert model.model == small_model().onnx
    # When another manifest is released as that version / Then it is refused
    with pytest.raises(ModelRefusedError, match="checksum"):
        batch_model(store, model_name="ontime", version="1", manifest_sha256="0" * 64)
    # When its model is damaged / Then it is refused
    (tmp_path / "store" / "models" / "ontime" / "1" / "model.onnx").write_bytes(b"cut")
    with pytest.raises(ModelRefusedError, match="bytes"):
        batch_model(store, model_name="ontime", version="1")
