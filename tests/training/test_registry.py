"""Versions: one for one training fingerprint, found by number, alias, or the words people use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.registry import Registry, RegistryError, alias_named
from training.run_files import FINGERPRINT_TAG, MODEL_TAG, RunFileError, write_files

if TYPE_CHECKING:
    from training.tracking import Tracking


def trained(tracking: Tracking, fingerprint: str) -> str:
    """Return a finished training run."""
    tags = {FINGERPRINT_TAG: fingerprint, MODEL_TAG: "file:///a/model"}
    with tracking.open_run("one", tags=tags) as run_id:
        write_files(tracking.client, run_id, {"exported/model.onnx": b"the model"})
    return run_id


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking.store, "delays")


def test_the_first_run_is_version_1_and_a_rerun_makes_no_other(
    tracking: Tracking, registry: Registry
) -> None:
    # Given a trained run, registered
    run_id = trained(tracking, "abc")
    first = registry.register(run_id)
    assert (first.version, first.run_id, first.fingerprint) == ("1", run_id, "abc")
    # When it is registered again, or trained again from the same and registered
    again = registry.register(run_id)
    retrained = registry.register(trained(tracking, "abc"))
    # Then there is still one version
    assert first == again == retrained
    assert registry.versions() == (first,)


def test_another_fingerprint_is_another_version(tracking: Tracking, registry: Registry) -> None:
    made = [registry.register(trained(tracking, each)).version for each in ("abc", "def")]
    assert made == ["1", "2"]
    assert [each.fingerprint for each in registry.versions()] == ["abc", "def"]


def test_a_model_that_was_never_registered_has_no_versions(registry: Registry) -> None:
    assert registry.versions() == ()
    assert registry.version_of("champion") is None
    registry.point("champion", None)
    with pytest.raises(RegistryError, match="has no version 1 in the registry: it has none"):
        registry.get("1")


def test_an_alias_points_to_one_version_and_moves(tracking: Tracking, registry: Registry) -> None:
    # Given two versions
    for each in ("abc", "def"):
        registry.register(trained(tracking, each))
    # When the alias moves from one to the other
    registry.point("champion", "1")
    assert registry.version_of("champion") == "1"
    registry.point("champion", "2")
    # Then only the other has it
    assert [each.aliases for each in registry.versions()] == [(), ("champion",)]
    # And it can be taken away
    registry.point("champion", None)
    assert registry.version_of("champion") is None


def test_an_alias_does_not_point_to_nothing(tracking: Tracking, registry: Registry) -> None:
    registry.register(trained(tracking, "abc"))
    with pytest.raises(RegistryError, match="has no version 7 in the registry: it has 1"):
        registry.point("champion", "7")


@pytest.mark.parametrize("word", ["2", "Production", "production", "champion"])
def test_a_version_is_named_by_number_alias_or_stage(
    tracking: Tracking, registry: Registry, word: str
) -> None:
    for each in ("abc", "def"):
        registry.register(trained(tracking, each))
    registry.point("champion", "2")
    assert registry.resolve(word).version == "2"


def test_an_alias_without_a_version_is_told(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="No version of model delays is challenger yet"):
        registry.resolve("Staging")


def test_a_word_that_means_nothing_is_told() -> None:
    with pytest.raises(RegistryError, match=r"'best' is no alias: use challenger \(Staging\)"):
        alias_named("best")


def test_a_run_that_does_not_exist_is_told(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"has no run 0+: train again"):
        registry.register("0" * 32)


def test_a_run_that_has_not_finished_is_not_registered(
    tracking: Tracking, registry: Registry
) -> None:
    with (
        tracking.open_run("one", tags={FINGERPRINT_TAG: "abc", MODEL_TAG: "x"}) as run_id,
        pytest.raises(RegistryError, match=r"is no finished training run \(status RUNNING\)"),
    ):
        registry.register(run_id)


def test_the_exported_files_of_a_version_are_those_of_its_run(
    tracking: Tracking, registry: Registry
) -> None:
    registry.register(trained(tracking, "abc"))
    assert registry.files("1", ["model.onnx"]) == {"model.onnx": b"the model"}
    with pytest.raises(RunFileError, match=r"has no file exported/card\.html"):
        registry.files("1", ["card.html"])
