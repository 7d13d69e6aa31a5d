from __future__ import annotations

from operations.ledger.ledger import Ledger
from operations.release.timeline import standing_at
from tests.operations.lives import ONE, TWO, Life


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}.000Z"


def test_it_tells_who_decided_on_which_evidence(life: Life) -> None:
    # Given an approved and promoted version, at the fifth second
    life.on_trial(ONE)
    life.ada.approve("1", reason="read the card")
    life.pipeline.promoted(ONE, rollout="direct", approval="required", reason="approved")
    # When it is asked what is in production
    standing = standing_at(life.ledger, at(4))
    # Then it is all there
    story = standing.champion
    assert story is not None
    assert (story.released, story.run_id, story.gold_hash) == (ONE, "run-1", "d" * 64)
    assert (story.decided.kind, story.decided.sequence, story.decided.at) == ("promoted", 5, at(4))
    assert story.approval is not None
    assert (story.approval.by, story.approval.reason) == ("Ada", "read the card")
    assert story.figures["auc"] == 0.75
    # And a moment before there was no champion, but a challenger
    before = standing_at(life.ledger, "2026-03-01T10:00:03.999Z")
    assert before.champion is None
    assert before.challenger is not None
    assert before.challenger.approval is not None


def test_what_was_decided_later_is_not_told(life: Life) -> None:
    life.champion(ONE)
    life.pipeline.gated("1", passed=False, reasons=("too slow",), figures={})
    then = standing_at(life.ledger, at(3)).champion
    now = standing_at(life.ledger, at(4)).champion
    assert then is not None
    assert now is not None
    assert then.gated is not None
    assert now.gated is not None
    assert (then.gated.sequence, now.gated.sequence) == (2, 5)


def test_a_champion_is_told_since_its_newest_reign_and_through_all_of_it(life: Life) -> None:
    # Given a version that was champion, was followed by another, and was put back
    life.champion(ONE)
    life.champion(TWO)
    life.ada.roll_back(reason="false alarms")
    # When a challenger comes and goes meanwhile
    life.ada.roll_back("2", reason="they were right")
    life.ada.roll_back("1", reason="they were not")
    story = standing_at(life.ledger, at(59)).champion
    # Then its last coming is what is told
    assert story is not None
    assert (story.decided.sequence, story.decided.reason) == (11, "they were not")
    assert standing_at(life.ledger, at(6)).champion is not None
    assert standing_at(life.ledger, at(6)).challenger is not None


def test_the_share_of_the_challenger_is_told(life: Life) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    life.ada.roll_out(0.1, reason="well so far")
    standing = standing_at(life.ledger, at(59))
    assert standing.challenger_weight == 0.1
    assert standing.challenger is not None
    assert standing.challenger.decided.kind == "published"
    assert standing.champion is not None
    assert standing.champion.decided.sequence == 4
    assert standing.last is not None
    assert standing.last.kind == "rolled_out"


def test_before_anything_there_was_nothing() -> None:
    standing = standing_at(Ledger(), at(0))
    assert (standing.champion, standing.challenger, standing.last) == (None, None, None)
