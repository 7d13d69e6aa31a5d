"""Promotion to champion: what the registry must have, and which approval counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.release.decisions import Decisions
from pipelines.cli import execute
from serving.models.release_document import ReleasedVersion, read_release

if TYPE_CHECKING:
    import pytest

    from tests.pipelines.conftest import Policy
    from tests.pipelines.released import ReleasedHome

PROMOTE = ["release", "promote"]
WHO = ["--by", "Ada", "--reason", "read the card"]


def champion(released: ReleasedHome) -> str | None:
    release = read_release(released.context.artifacts)
    return release.document.champion.version if release and release.document.champion else None


def test_the_champion_stays_when_it_is_named(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    assert execute([*PROMOTE, "--version", "Production", *WHO]) == 0
    assert "version 1 stays: it is the champion already" in capsys.readouterr().out


def test_a_version_that_the_registry_lost_is_not_promoted(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    version = released.on_trial()
    released.context.tracking.client.delete_model_version("ontime", version)
    assert execute([*PROMOTE, "--version", version, *WHO]) == 1
    assert "has no version 2 in the registry: it has 1" in capsys.readouterr().err
    assert champion(released) == "1"


def test_a_registry_with_another_run_for_the_version_is_refused(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a ledger whose version 1 is of another run than the registry's
    version = released.on_trial()
    client = released.context.tracking.client
    client.delete_registered_model("ontime")
    client.create_registered_model("ontime")
    client.create_model_version("ontime", "file:///another/model", None)
    # When it is to be promoted, Then it is refused
    assert execute([*PROMOTE, "--version", version, *WHO]) == 1
    assert "they do not belong together" in capsys.readouterr().err
    assert champion(released) is None


def test_an_approval_of_a_package_that_was_replaced_does_not_count(
    released: ReleasedHome, policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given an approval, and another package of the same version on trial since
    policy(rollout="gradual", approval="required")
    version = released.on_trial()
    assert execute(["release", "approve", *WHO]) == 0
    pipeline = Decisions(store=released.context.artifacts, model="ontime", by="pipeline")
    pipeline.published(ReleasedVersion(version, "f" * 64))
    capsys.readouterr()
    # When it is to be promoted, Then the approval is stale
    assert execute([*PROMOTE, "--version", version, *WHO]) == 0
    assert "in entry 4 is of another package than the published one" in capsys.readouterr().out
