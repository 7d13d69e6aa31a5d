"""A small released model over 26 real days: what batch scoring reads, made without a whole run."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from features.contract.feature_contract import to_json
from serving.models.model_package import CARD, CONTRACT, MODEL, SELF_TEST
from tests.pipelines.real_parts import TRAINING, real_part
from tests.serving.support import publish, release
from training.fit import train

if TYPE_CHECKING:
    from serving.stores.artifacts.protocol import ArtifactStore
    from training.fit import Trained


@cache
def small_model() -> Trained:
    """Return a modest model of those days."""
    train_part, validate_part = real_part("train"), real_part("validate")
    return train(train_part, validate_part, horizon_min=120, settings=TRAINING)


def package_of(trained: Trained) -> dict[str, bytes]:
    """Return the files of its package."""
    return {
        MODEL: trained.onnx,
        CONTRACT: to_json(trained.contract),
        CARD: b"<html></html>",
        SELF_TEST: trained.self_test,
    }


def release_small_model(store: ArtifactStore, version: str = "1") -> str:
    """Publish it, make it champion, and return the checksum of its manifest."""
    from serving.models.release_document import ReleasedVersion  # noqa: PLC0415 - beside its one use

    manifest = publish(store, version, files=package_of(small_model()))
    release(store, ReleasedVersion(version, manifest))
    return manifest
