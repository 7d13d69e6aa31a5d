from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from operations.ledger.ledger import read_ledger
from operations.release.decisions import Decisions
from pipelines import register
from pipelines.promote import run
from pipelines.release.promotion import PromotionRefusedError
from serving.models.release_document import ReleasedVersion, read_release

if TYPE_CHECKING:
    from tests.pipelines.conftest import Recorded


def publish(recorded: Recorded, version: str) -> None:
    """Do what the stage publish does, without a model package."""
    store = recorded.context.artifacts
    released = ReleasedVersion(version, version * 64)
    Decisions(store=store, model="ontime", by="pipeline").published(released)
    recorded.record("publish", version=version, manifest_sha256=version * 64)


def prepare(recorded: Recorded, run_id: str, *refusals: str) -> str:
    recorded.trained(run_id, *refusals)
    outputs = register.run(recorded.context).outputs
    recorded.record("register", **outputs)
    version = str(outputs["version"])
    if refusals:
        recorded.record("publish", version=version, manifest_sha256=None)
    else:
        publish(recorded, version)
    return version


def champion(recorded: Recorded) -> str | None:
    release = read_release(recorded.context.artifacts)
    return release.document.champion.version if release and release.document.champion else None


def test_the_challenger_becomes_champion_everywhere(recorded: Recorded) -> None:
    prepare(recorded, "run-1")
    outcome = run(recorded.context, by="Ada", reason="better than nothing")
    reasons = ("its gates passed and the rollout is direct",)
    assert outcome.outputs == {"version": "1", "outcome": "promote", "reasons": reasons}
    assert champion(recorded) == "1"
    assert recorded.registry.aliases == {"champion": "1"}
    entry = read_ledger(recorded.context.artifacts).entries[-1]
    assert (entry.kind, entry.by, entry.reason) == ("promoted", "Ada", "better than nothing")


def test_run_again_nothing_changes(recorded: Recorded) -> None:
    prepare(recorded, "run-1")
    run(recorded.context)
    before = recorded.ledger()
    assert run(recorded.context).outputs["outcome"] == "unchanged"
    assert recorded.ledger() == before


def test_a_refused_version_is_reported_with_reasons_and_the_champion_stays(
    recorded: Recorded,
) -> None:
    # Given a champion, and a second version that its gates refused
    prepare(recorded, "run-1")
    run(recorded.context)
    prepare(recorded, "run-2", "AUC is 0.6100, at least 0.73 wanted")
    before = recorded.ledger()
    # When it is to be promoted, then it is refused in one sentence
    refused = r"Version 2 of ontime is not promoted: AUC is 0\.6100.*; version 1 keeps answering\."
    with pytest.raises(PromotionRefusedError, match=refused):
        run(recorded.context)
    # And nothing has changed
    assert champion(recorded) == "1"
    assert recorded.ledger() == before


def test_without_a_champion_the_refusal_reports_that(recorded: Recorded) -> None:
    prepare(recorded, "run-1", "AUC is 0.61")
    with pytest.raises(PromotionRefusedError, match="there is no champion yet"):
        run(recorded.context)


def test_under_a_gradual_rollout_it_waits(recorded: Recorded) -> None:
    settings = recorded.context.settings
    gradual = settings.operations.model_copy(update={"rollout": "gradual"})
    changed = settings.model_copy(update={"operations": gradual})
    recorded.context = replace(recorded.context, settings=changed).using(registry=recorded.registry)
    prepare(recorded, "run-1")
    outcome = run(recorded.context)
    assert outcome.outputs["outcome"] == "wait"
    expected = "version 1 waits: the rollout is gradual and it answers 0% of the flights"
    assert outcome.notes == (expected,)
    assert champion(recorded) is None


def test_a_promotion_killed_after_its_entry_is_finished_by_the_next_run(recorded: Recorded) -> None:
    # Given a promotion of which only the ledger entry was written
    version = prepare(recorded, "run-1")
    Decisions(store=recorded.context.artifacts, model="ontime", by="pipeline").promoted(
        ReleasedVersion(version, version * 64), rollout="direct", reason="gates passed"
    )
    assert champion(recorded) is None
    # When the stage is run again
    outcome = run(recorded.context)
    # Then document and aliases follow
    assert outcome.outputs["outcome"] == "unchanged"
    assert outcome.notes[1] == (
        "repaired from the ledger: release document, alias champion, alias challenger"
    )
    assert champion(recorded) == "1"
    assert recorded.registry.aliases == {"champion": "1"}
