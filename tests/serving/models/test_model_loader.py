"""Loading a model: everything is checked before it may answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from features.contract.feature_contract import to_json
from serving.models.model_loader import ModelRefusedError, load_model
from serving.models.model_package import CONTRACT, MODEL, SELF_TEST
from serving.stores.errors import StoreError
from tests.serving.support import (
    MODEL_NAME,
    THRESHOLD,
    a_contract,
    a_self_test,
    package_files,
    publish,
)

if TYPE_CHECKING:
    from serving.models.model_loader import LoadedModel
    from serving.stores.artifacts.local import FolderArtifactStore


def load(store: FolderArtifactStore, sha256: str | None = None) -> LoadedModel:
    return load_model(store, model_name=MODEL_NAME, version="1", manifest_sha256=sha256)


def test_a_good_package_is_loaded(store: FolderArtifactStore) -> None:
    # Given a published version, When it is loaded, Then it answers
    sha256 = publish(store, "1", 0.25)
    loaded = load(store, sha256)
    assert (loaded.version, loaded.manifest_sha256) == ("1", sha256)
    assert loaded.contract.operating_threshold == THRESHOLD
    row = [None] * len(loaded.contract.features)
    assert loaded.scorer.score([row]) == [pytest.approx(0.25)]


def changed_contract(**changes: object) -> bytes:
    return json.dumps({**json.loads(to_json(a_contract())), **changes}).encode()


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        (MODEL, b"no model", "cannot be loaded"),
        (SELF_TEST, msgspec.json.encode(a_self_test(a_contract(), 0.5)), "self-test"),
        (SELF_TEST, b"{}", "self-test cannot be read"),
        (SELF_TEST, b"\xff", "self-test cannot be read"),
        (CONTRACT, b"{}", "contract"),
        (CONTRACT, to_json(a_contract()).replace(b"arrival", b"\xff"), "contract cannot be read"),
        (CONTRACT, changed_contract(feature_hash="0" * 64), "differ from their declarations"),
        (CONTRACT, changed_contract(schema=99), "schema 99"),
    ],
)
def test_a_package_that_may_not_answer_is_refused(
    store: FolderArtifactStore, name: str, body: bytes, why: str
) -> None:
    # Given a package whose checksums hold, but one of whose files is not right
    publish(store, "1", files={**package_files(0.25), name: body})
    # Then it is refused, and the reason is named
    with pytest.raises(ModelRefusedError, match=f"Version 1 of model {MODEL_NAME}.*{why}"):
        load(store)


def test_a_feature_that_is_not_declared_is_refused(store: FolderArtifactStore) -> None:
    features = json.loads(to_json(a_contract()))["features"]
    features[3]["name"] = "moon_phase"
    body = changed_contract(features=features)
    publish(store, "1", files={**package_files(0.25), CONTRACT: body})
    with pytest.raises(ModelRefusedError, match="moon_phase"):
        load(store)


def test_another_package_than_the_released_is_refused(store: FolderArtifactStore) -> None:
    publish(store, "1")
    with pytest.raises(ModelRefusedError, match="checksum"):
        load(store, "0" * 64)


def test_a_version_that_is_not_there_is_refused(store: FolderArtifactStore) -> None:
    with pytest.raises(ModelRefusedError, match=r"manifest\.json is missing"):
        load(store)


def test_a_store_that_fails_is_not_a_broken_model() -> None:
    # Given a store that cannot be read, Then the error is the store's: a retry may help
    class Failing:
        def get(self, key: str) -> object:
            raise StoreError(f"no {key}")

    with pytest.raises(StoreError, match="no models"):
        load_model(
            Failing(),  # type: ignore[arg-type] # what is read is all that matters
            model_name=MODEL_NAME,
            version="1",
        )
