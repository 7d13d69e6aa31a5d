from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from operations.release.decisions import Interventions
from pipelines import publish, register
from pipelines.runtime import runner
from pipelines.runtime.command import CommonOptions, settings_of
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext, StageOutcome
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named
from serving.models.model_package import FILES, ModelPackageError, read_model_package
from serving.models.release_document import read_release
from training.registry.registry_errors import RegistryError

if TYPE_CHECKING:
    from tests.pipelines.conftest import Recorded


@pytest.fixture
def run_files(monkeypatch: pytest.MonkeyPatch, recorded: Recorded) -> dict[str, bytes]:
    """Stand for the files of the training run, and for the online features."""
    files = {name: name.encode() for name in FILES}
    recorded.context = recorded.context.using(tables=None)
    recorded.record("ingest", silver={"flights": "aa", "weather": "bb"})
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
    learned = package.manifest.learned_from, package.manifest.learned_until
    assert learned == ("2013-01-01T05:00:00Z", "2013-11-01T04:00:00Z")


@pytest.mark.usefixtures("run_files")
def test_run_again_nothing_changes(recorded: Recorded) -> None:
    registered(recorded)
    first = publish.run(recorded.context)
    before = recorded.ledger()
    assert publish.run(recorded.context) == first
    assert recorded.ledger() == before


def test_a_regenerated_card_does_not_change_the_published_package(
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


@pytest.mark.usefixtures("run_files")
def test_a_version_that_the_registry_lost_is_not_published(recorded: Recorded) -> None:
    # Given a registered version, and a registry that does not have it any more
    registered(recorded)
    recorded.registry.runs.clear()
    before = recorded.ledger()
    # When it is to be published, Then it is refused, and nothing is released
    with pytest.raises(RegistryError, match="has no version 1 in the registry"):
        publish.run(recorded.context)
    assert read_release(recorded.context.artifacts) is None
    assert recorded.ledger() == before


def test_killed_before_the_manifest_the_regenerated_card_is_published(
    recorded: Recorded, run_files: dict[str, bytes]
) -> None:
    # Given a publish that was killed when all files but the manifest were written
    registered(recorded)
    for name, body in run_files.items():
        recorded.context.artifacts.create(f"models/ontime/1/{name}", body)
    # When the card is drawn again and the stage runs again
    run_files["card.html"] = b"evaluated again, on a slower day"
    outcome = publish.run(recorded.context)
    # Then the package has the card of today, and the next run agrees
    package = read_model_package(recorded.context.artifacts, model_name="ontime", version="1")
    assert package.files["card.html"] == b"evaluated again, on a slower day"
    assert publish.run(recorded.context) == outcome


@pytest.mark.usefixtures("run_files")
def test_what_a_person_took_back_is_not_released_again(recorded: Recorded) -> None:
    # Given a challenger that Ada rejected
    registered(recorded)
    publish.run(recorded.context)
    ada = Interventions(store=recorded.context.artifacts, model="ontime", by="Ada")
    ada.reject("1", reason="unfair")
    # When the stage is forced, Then it reports that, and there is no challenger
    outcome = publish.run(recorded.context)
    assert outcome.notes[1] == (
        "version 1 is in the artifact store and not released: Ada rejected it in entry 4 (unfair)"
    )
    release = read_release(recorded.context.artifacts)
    assert release is not None
    assert release.document.challenger is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("operations.online_days", 9),
        ("serving.store_uri", "s3://another/store"),
        ("serving.stores.online", "dynamodb"),
        ("serving.stores.prefix", "another"),
    ],
)
def test_it_runs_again_where_a_setting_fills_another_store_or_other_days(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, key: str, value: str | int
) -> None:
    # Given a publish that succeeded
    recorded.record("ingest", silver={"flights": "a" * 64})
    recorded.record("register", version="1", passed=True)
    outputs = {"version": "1", "manifest_sha256": None, "items": 7}
    monkeypatch.setattr(runner, "stage_function", lambda _: lambda *_, **__: StageOutcome(outputs))
    home = recorded.context.settings.home
    (home / "serving.db").touch()
    stage, as_before = stage_named("publish"), CommonOptions(overrides=(f"home={home}",))

    def publish_with(values: dict[str, str | int]) -> bool:
        context = RunContext(settings_of(as_before, values), Console(io.StringIO()))
        return not run_stage(stage, context).skipped

    assert publish_with({})
    assert not publish_with({})
    # When a setting is another, Then the stage runs again; before, it was skipped
    assert publish_with({key: value})
    assert not publish_with({key: value})
