"""Versions and aliases: one suite over every registry that runs without Databricks.

`database` is the embedded SQLite store, `server` a real MLflow server over HTTP. `stages` is the
same server reached the way a Databricks workspace's registry is, by MLflow's client for it: there
are no aliases there, and stages stand for them.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from training.registry.model_registry import RegisteredVersion, Registry
from training.registry.registry_backends import alias_named
from training.registry.registry_errors import RegistryError, RegistryUnusableError
from training.tracking.lineage import CodeLineage, Lineage, TableLineage, to_json
from training.tracking.run_files import (
    FINGERPRINT_TAG,
    LINEAGE_FILE,
    MODEL_TAG,
    RunFileError,
    write_files,
)
from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["database", "server", "stages"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest) -> Tracking:
    """Return a tracking store of the test's own, or the server with an experiment of its own."""
    if kind == "database":
        found: Tracking = request.getfixturevalue("tracking")
        return found
    return Tracking(request.getfixturevalue("mlflow_address"), f"ontime-{secrets.token_hex(4)}")


@pytest.fixture
def plain(store: Tracking) -> Registry:
    """Return a registry of the store, reached as what it is."""
    return Registry(store.store, f"delays-{secrets.token_hex(4)}")


@pytest.fixture
def registry(plain: Registry, kind: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return the same registry, reached in the way of the test's kind."""
    if kind != "stages":
        return plain
    monkeypatch.setenv("DATABRICKS_HOST", plain.store)
    monkeypatch.setenv("DATABRICKS_TOKEN", "none")
    return Registry(plain.store, plain.name, "databricks")


@pytest.fixture
def trained(store: Tracking) -> Callable[[str], str]:
    """Return what makes a finished training run of a fingerprint and gives its id."""

    def train(fingerprint: str) -> str:
        tags = {FINGERPRINT_TAG: fingerprint, MODEL_TAG: "file:///a/model"}
        with store.open_run("one", tags=tags) as run_id:
            write_files(store.client, run_id, {"exported/model.onnx": b"the model"})
            if store.store.startswith("http"):  # which takes no source of another place
                source = store.client.get_run(run_id).info.artifact_uri
                store.client.set_tag(run_id, MODEL_TAG, f"{source}/model")
        return run_id

    return train


@pytest.fixture
def register(registry: Registry, plain: Registry) -> Callable[[str], RegisteredVersion]:
    """Return what registers a run.

    MLflow's client for a workspace's registry copies the model to the workspace first, which is not
    there: a version is made plainly, and found by the fingerprint.
    """

    def register(run_id: str) -> RegisteredVersion:
        plain.register(run_id)
        return registry.register(run_id)

    return register


def test_the_first_run_is_version_1_and_a_rerun_makes_no_other(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    # Given a trained run, registered
    run_id = trained("abc")
    first = register(run_id)
    assert (first.version, first.run_id, first.fingerprint) == ("1", run_id, "abc")
    # When it is registered again, or trained again from the same and registered
    again = register(run_id)
    retrained = register(trained("abc"))
    # Then there is still one version
    assert first == again == retrained
    assert registry.versions() == (first,)


def test_another_fingerprint_is_another_version(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    made = [register(trained(each)).version for each in ("abc", "def")]
    assert made == ["1", "2"]
    assert [each.fingerprint for each in registry.versions()] == ["abc", "def"]


def test_a_model_that_was_never_registered_has_no_versions(registry: Registry) -> None:
    assert registry.versions() == ()
    assert registry.version_of("champion") is None
    registry.point("champion", None)
    with pytest.raises(RegistryError, match="has no version 1 in the registry: it has none"):
        registry.get("1")


def test_an_alias_points_to_one_version_and_moves(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    # Given two versions
    for each in ("abc", "def"):
        register(trained(each))
    # When the alias moves from one to the other
    registry.point("champion", "1")
    assert registry.version_of("champion") == "1"
    registry.point("champion", "2")
    # Then only the other has it
    assert [each.aliases for each in registry.versions()] == [(), ("champion",)]
    # And it can be taken away
    registry.point("champion", None)
    assert registry.version_of("champion") is None


def test_a_challenger_becomes_champion_and_goes_back(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    # Given a champion and a challenger
    for each in ("abc", "def"):
        register(trained(each))
    registry.point("champion", "1")
    registry.point("challenger", "2")
    assert [each.aliases for each in registry.versions()] == [("champion",), ("challenger",)]
    # When the challenger is promoted, in the order in which aliases follow the ledger
    registry.point("champion", "2")
    registry.point("challenger", None)
    assert [each.aliases for each in registry.versions()] == [(), ("champion",)]
    # And when that is rolled back
    registry.point("champion", "1")
    assert [each.aliases for each in registry.versions()] == [("champion",), ()]


def test_an_alias_does_not_point_to_a_missing_version(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    register(trained("abc"))
    with pytest.raises(RegistryError, match="has no version 7 in the registry: it has 1"):
        registry.point("champion", "7")


def test_a_version_is_named_by_number_alias_or_stage(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    for each in ("abc", "def"):
        register(trained(each))
    registry.point("champion", "2")
    words = ("2", "Production", "production", "champion")
    assert {registry.resolve(word).version for word in words} == {"2"}
    with pytest.raises(RegistryError, match=r"No version of model delays-\w+ is challenger yet"):
        registry.resolve("Staging")


def test_a_run_that_does_not_exist_is_reported(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"has no run 0+: train again"):
        registry.register("0" * 32)


def test_a_run_that_has_not_finished_is_not_registered(store: Tracking, registry: Registry) -> None:
    with (
        store.open_run("one", tags={FINGERPRINT_TAG: "abc", MODEL_TAG: "x"}) as run_id,
        pytest.raises(RegistryError, match=r"is no finished training run \(status RUNNING\)"),
    ):
        registry.register(run_id)


def test_the_exported_files_of_a_version_are_those_of_its_run(
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    register(trained("abc"))
    assert registry.files("1", ["model.onnx"]) == {"model.onnx": b"the model"}
    with pytest.raises(RunFileError, match=r"has no file exported/card\.html"):
        registry.files("1", ["card.html"])


def test_the_flights_that_a_version_has_learned_from_are_those_of_its_split(
    store: Tracking,
    registry: Registry,
    trained: Callable[[str], str],
    register: Callable[[str], RegisteredVersion],
) -> None:
    # Given a version whose run has lost its lineage, Then they are not known
    run_id = trained("abc")
    register(run_id)
    assert registry.learned("1") is None
    # And with it, they are its train and validate parts, in UTC
    split = {
        "train_from": "2013-01-01T00:00:00-05:00",
        "validate_from": "2013-10-01T00:00:00-04:00",
        "test_from": "2013-11-01T00:00:00-04:00",
        "test_until": "2014-01-01T00:00:00-05:00",
    }
    for settings, learned in (
        ({}, None),
        ({"training": {"split": split}}, ("2013-01-01T05:00:00Z", "2013-11-01T04:00:00Z")),
    ):
        lineage = Lineage(
            fingerprint="abc",
            parts={},
            table=TableLineage("gold", "file:///gold", 1, "ab", 2),
            horizon_min=120,
            flights={},
            code=CodeLineage("c0ffee", changed=False, lock_sha256="ab"),
            settings=settings,
        )
        write_files(store.client, run_id, {LINEAGE_FILE: to_json(lineage)})
        assert registry.learned("1") == learned


def test_an_unknown_alias_is_reported() -> None:
    with pytest.raises(RegistryError, match=r"'best' is no alias: use challenger \(Staging\)"):
        alias_named("best")


def test_a_registry_that_is_down_is_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry("sqlite://", "delays", "http://127.0.0.1:9")
    with pytest.raises(RegistryUnusableError, match=r"The registry http://127\.0\.0\.1:9 did not"):
        registry.version_of("champion")
