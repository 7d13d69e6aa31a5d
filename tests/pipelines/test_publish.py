from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines import publish, register
from serving.model_package import FILES, ModelPackageError, read_model_package
from serving.release import read_release

if TYPE_CHECKING:
    from tests.pipelines.conftest import Recorded


@pytest.fixture
def run_files(monkeypatch: pytest.MonkeyPatch, recorded: Recorded) -> dict[str, bytes]:
    """Stand for the files of the training run, and for the online features."""
    files = {name: name.encode() for name in FILES}
    recorded.context.__dict__["tables"] = None
    monkeypatch.setattr(publish, "materialize", lambda *_, **__: 7)
    recorded.registry.exported = files
    return files


def registered(recorded: Recorded, *refusals: str) -> None:
    recorded.trained("run-1", *refusals)
    recorded.record("register", **register.run(recorded.context).outputs)


@pytest.mark.usefixtures("run_files")
def test_a_version_is_packaged_and_released_as_challenger_that_answers_nothing(
    recorded: Recorded,
) -> None:
    registered(recorded)
    outcome = publish.run(recorded.context)
    release = read_release(recorded.context.artifacts)
    assert release is not None
    assert release.document.challenger is not None
    assert release.document.challenger_weight == 0
    assert release.document.champion is None
    manifest = release.document.challenger.manifest_sha256
    assert outcome.outputs == {"version": "1", "manifest_sha256": manifest, "items": 7}
    package = read_model_package(
        recorded.context.artifacts, model_name="ontime", version="1", manifest_sha256=manifest
    )
    assert package.manifest.run_id == "run-1"
    assert package.manifest.created_at == "2026-03-01T10:00:00.000Z"


@pytest.mark.usefixtures("run_files")
def test_run_again_nothing_changes(recorded: Recorded) -> None:
    registered(recorded)
    first = publish.run(recorded.context)
    before = recorded.ledger()
    assert publish.run(recorded.context) == first
    assert recorded.ledger() == before


def test_a_card_that_was_drawn_again_does_not_change_what_is_published(
    recorded: Recorded, run_files: dict[str, bytes]
) -> None:
    registered(recorded)
    first = publish.run(recorded.context)
    run_files["card.html"] = b"evaluated again, on a slower day"
    assert publish.run(recorded.context) == first


@pytest.mark.usefixtures("run_files")
def test_a_refused_version_is_not_published_but_its_features_are(recorded: Recorded) -> None:
    registered(recorded, "AUC is 0.61")
    outcome = publish.run(recorded.context)
    assert outcome.outputs == {"version": "1", "manifest_sha256": None, "items": 7}
    assert "version 1 is not published: its gates refused it" in outcome.notes
    assert read_release(recorded.context.artifacts) is None


@pytest.mark.usefixtures("run_files")
def test_a_damaged_package_is_named(recorded: Recorded) -> None:
    registered(recorded)
    publish.run(recorded.context)
    path = recorded.context.settings.home / "store" / "models" / "ontime" / "1" / "model.onnx"
    path.write_bytes(b"cut")
    with pytest.raises(ModelPackageError, match=r"models/ontime/1/model\.onnx"):
        publish.run(recorded.context)
