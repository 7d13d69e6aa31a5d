"""Decision commands: promote, approve or reject a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations.release.decisions import Decisions, Interventions
from pipelines.cli import execute
from serving.models.release_document import read_release

if TYPE_CHECKING:
    from tests.pipelines.conftest import Policy
    from tests.pipelines.released import ReleasedHome

PROMOTE = ["release", "promote"]
WHO = ["--by", "Ada", "--reason", "read the card"]


def champion(released: ReleasedHome) -> str | None:
    release = read_release(released.context.artifacts)
    return release.document.champion.version if release and release.document.champion else None


def test_where_approval_is_required_a_version_waits_until_a_person_approves_it(
    released: ReleasedHome, policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a challenger that waits for a person
    policy(rollout="direct", approval="required")
    released.on_trial()
    assert execute([*PROMOTE, "--version", "Staging", *WHO]) == 0
    output = capsys.readouterr().out
    assert "version 1 waits: a person has to approve it: `ontime release approve" in output
    assert champion(released) is None
    # When Ada approves it
    assert execute(["release", "approve", *WHO]) == 0
    # Then it is champion, and the ledger has her approval of this very package
    output = capsys.readouterr().out
    assert "version 1 is approved" in output
    assert "version 1 is the champion now" in output
    assert "Ada approved it in entry 4" in output
    approved, promoted = released.ledger.entries[-2:]
    assert (approved.kind, approved.by, approved.reason) == ("approved", "Ada", "read the card")
    package = released.state.release.champion
    assert package is not None
    assert approved.evidence["manifest_sha256"] == package.manifest_sha256
    assert (promoted.kind, promoted.by) == ("promoted", "Ada")
    assert released.aliases == {"champion": "1", "challenger": None}


def test_an_approval_is_stored_during_the_rollout(
    released: ReleasedHome, policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    policy(rollout="gradual", approval="required")
    released.on_trial()
    assert execute(["release", "approve", *WHO]) == 0
    output = capsys.readouterr().out
    assert "version 1 waits: the rollout is gradual and it answers 0% of the flights" in output
    assert released.ledger.entries[-1].kind == "approved"
    assert execute(["release", "approve", *WHO]) == 0
    assert "version 1 was already approved" in capsys.readouterr().out


def test_a_rejected_version_answers_nothing(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    released.on_trial()
    assert execute(["release", "reject", *WHO]) == 0
    assert "version 2 is rejected: it answers no flights" in capsys.readouterr().out
    assert released.aliases == {"champion": "1", "challenger": None}
    # And it is not promoted after that
    assert execute([*PROMOTE, "--version", "2", *WHO]) == 1
    assert "Ada rejected it in entry 8 (read the card)" in capsys.readouterr().err
    assert champion(released) == "1"


@pytest.mark.parametrize("command", ["promote", "approve", "reject"])
@pytest.mark.parametrize(
    ("who", "missing"), [([], "--by"), (["--by", "Ada"], "--reason"), (["--reason", "x"], "--by")]
)
def test_a_person_gives_a_name_and_a_reason(
    command: str, who: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # When a decision is made without the one or the other / Then usage is explained
    assert execute(["release", command, *who]) == 2
    assert f"Missing option '{missing}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("approve", "already approved"), ("reject", "already rejected")]
)
def test_a_verdict_that_was_killed_half_way_is_repeated(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str], verdict: str, outcome: str
) -> None:
    # Given a verdict of which only the entries were written
    released.champion()
    version = released.on_trial()
    ada = Interventions(store=released.context.artifacts, model="ontime", by="Ada")
    if verdict == "approve":
        ada.approve(version, reason="read the card")
        challenger = released.state.release.challenger
        assert challenger is not None
        Decisions(store=released.context.artifacts, model="ontime", by="Ada").promoted(
            challenger, rollout="direct", reason="read the card"
        )
    else:
        ada.reject(version, reason="read the card")
    entries = released.ledger.entries
    # When it is typed again
    assert execute(["release", verdict, *WHO]) == 0
    # Then nothing is added, and document and aliases have followed
    assert f"version 2 was {outcome}" in capsys.readouterr().out
    assert released.ledger.entries == entries
    expected = version if verdict == "approve" else "1"
    assert released.aliases == {"champion": expected, "challenger": None}
    assert champion(released) == expected
