from __future__ import annotations

from operations.ledger.ledger import Ledger
from operations.release.timeline import production_at
from tests.operations.ledger_world import ONE, TWO, LedgerWorld


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}.000Z"


def test_production_at_a_time_has_who_decided_on_which_evidence(world: LedgerWorld) -> None:
    # Given an approved and promoted version, at the fifth second
    world.publish(ONE)
    world.ada.approve("1", reason="read the card")
    world.pipeline.promoted(ONE, rollout="direct", approval="required", reason="approved")
    # When the versions in production are queried
    state = production_at(world.ledger, at(4))
    # Then it is all there
    version = state.champion
    assert version is not None
    assert (version.released, version.run_id, version.gold_hash) == (ONE, "run-1", "d" * 64)
    assert (version.decided.kind, version.decided.sequence, version.decided.at) == (
        "promoted",
        5,
        at(4),
    )
    assert version.approval is not None
    assert (version.approval.by, version.approval.reason) == ("Ada", "read the card")
    assert version.figures["auc"] == 0.75
    # And a moment before there was no champion, but a challenger
    before = production_at(world.ledger, "2026-03-01T10:00:03.999Z")
    assert before.champion is None
    assert before.challenger is not None
    assert before.challenger.approval is not None


def test_a_later_decision_is_not_included(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.pipeline.gated("1", passed=False, reasons=("too slow",), figures={})
    then = production_at(world.ledger, at(3)).champion
    now = production_at(world.ledger, at(4)).champion
    assert then is not None
    assert now is not None
    assert then.gated is not None
    assert now.gated is not None
    assert (then.gated.sequence, now.gated.sequence) == (2, 5)


def test_a_champion_has_the_entry_that_began_its_newest_term(
    world: LedgerWorld,
) -> None:
    # Given a version that was champion, was followed by another, and was restored
    world.champion(ONE)
    world.champion(TWO)
    world.ada.roll_back(reason="false alarms")
    # When a challenger is published and withdrawn in between
    world.ada.roll_back("2", reason="they were right")
    world.ada.roll_back("1", reason="they were not")
    version = production_at(world.ledger, at(59)).champion
    # Then the entry of its newest term is returned
    assert version is not None
    assert (version.decided.sequence, version.decided.reason) == (11, "they were not")
    assert production_at(world.ledger, at(6)).champion is not None
    assert production_at(world.ledger, at(6)).challenger is not None


def test_the_share_of_the_challenger_is_included(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.publish(TWO)
    world.ada.roll_out(0.1, reason="well so far")
    state = production_at(world.ledger, at(59))
    assert state.challenger_weight == 0.1
    assert state.challenger is not None
    assert state.challenger.decided.kind == "published"
    assert state.champion is not None
    assert state.champion.decided.sequence == 4
    assert state.last is not None
    assert state.last.kind == "rolled_out"


def test_an_empty_ledger_has_no_production_state() -> None:
    state = production_at(Ledger(), at(0))
    assert (state.champion, state.challenger, state.last) == (None, None, None)
