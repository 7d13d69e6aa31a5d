"""Decision command rollout: the challenger's share, step by step, up to its promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.cli import execute
from serving.models.release_document import read_release

if TYPE_CHECKING:
    from tests.pipelines.conftest import Policy
    from tests.pipelines.released import ReleasedHome

ROLLOUT = ["release", "rollout"]
WHO = ["--by", "Ada", "--reason", "no more errors than the champion"]


def weight(released: ReleasedHome) -> float:
    release = read_release(released.context.artifacts)
    assert release is not None
    return release.document.challenger_weight


def test_step_by_step_to_champion(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str], policy: Policy
) -> None:
    # Given a champion and a challenger under a gradual rollout
    policy(rollout="gradual")
    released.champion()
    released.on_trial()
    promotion = [
        "release",
        "promote",
        "--version",
        "Staging",
        "--by",
        "Ada",
        "--reason",
        "rolled out",
    ]
    assert execute(promotion) == 0
    assert "version 2 waits: the rollout is gradual and it answers 0% of" in capsys.readouterr().out
    # When its share is raised
    for share in ("0.1", "0.5", "1"):
        assert execute([*ROLLOUT, "--weight", share, *WHO]) == 0
        assert weight(released) == float(share)
    output = capsys.readouterr().out
    assert "version 2 answers 100% of the flights, was 50%" in output
    assert "the release document is replaced" in output
    # Then it can be promoted
    assert execute(promotion) == 0
    assert released.aliases == {"champion": "2", "challenger": None}
    assert weight(released) == 0


def test_repeating_the_same_share_records_no_entry(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.on_trial()
    assert execute([*ROLLOUT, "--weight", "0.1", *WHO]) == 0
    entries = len(released.ledger.entries)
    assert execute([*ROLLOUT, "--weight", "0.1", *WHO]) == 0
    assert "nothing to do: the challenger answers 10% of the flights" in capsys.readouterr().out
    assert len(released.ledger.entries) == entries


def test_a_share_of_zero_ends_the_rollout(released: ReleasedHome) -> None:
    released.on_trial()
    assert execute([*ROLLOUT, "--weight", "0.5", *WHO]) == 0
    assert execute([*ROLLOUT, "--weight", "0", *WHO]) == 0
    assert weight(released) == 0


@pytest.mark.parametrize("share", ["1.5", "-0.1", "half", "nan"])
def test_an_invalid_share_is_reported(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*ROLLOUT, f"--weight={share}", *WHO]) == 2
    assert "--weight" in capsys.readouterr().err


def test_without_a_challenger_the_error_is_one_sentence(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    assert execute([*ROLLOUT, "--weight", "0.1", *WHO]) == 1
    assert "No version of ontime is the challenger" in capsys.readouterr().err
