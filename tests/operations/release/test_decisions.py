from __future__ import annotations

import pytest

from operations.ledger.entries import Release
from operations.ledger.ledger import LedgerError
from operations.release.decisions import InterventionRefusedError
from operations.release.rollback_policy import RollbackRefusedError
from serving.models.release_document import ReleasedVersion
from tests.operations.ledger_world import ONE, THREE, TWO, LedgerWorld


def gate(world: LedgerWorld, version: str, *reasons: str) -> None:
    world.pipeline.gated(version, passed=not reasons, reasons=reasons, figures={"auc": 0.75})


def test_a_version_from_registration_to_champion_is_four_entries(world: LedgerWorld) -> None:
    world.champion(ONE)
    assert world.kinds == ["registered", "gated", "published", "promoted"]
    assert world.state.release == Release(champion=ONE)
    assert world.ledger.entries[0].at == "2026-03-01T10:00:00.000Z"
    assert world.ledger.entries[3].evidence["champion_before"] is None


def test_repeating_every_decision_records_nothing(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.champion(ONE)
    assert len(world.kinds) == 4


def test_the_second_version_takes_over_from_the_first(world: LedgerWorld) -> None:
    # Given a champion
    world.champion(ONE)
    # When another version is published
    world.publish(TWO)
    # Then the champion still answers until the promotion
    assert world.state.release == Release(ONE, TWO)
    decided = world.pipeline.promoted(TWO, rollout="direct", reason="better")
    assert decided.outcome == "promote"
    assert world.state.release == Release(champion=TWO)
    assert world.ledger.entries[-1].evidence["champion_before"] == "1"


def test_a_refused_version_leaves_the_champion_and_no_entry(world: LedgerWorld) -> None:
    world.champion(ONE)
    gate(world, "2", "auc 0.61 is below 0.73")
    before = world.kinds
    decided = world.pipeline.promoted(TWO, rollout="direct", reason="please")
    assert decided.outcome == "refuse"
    assert "auc 0.61 is below 0.73" in decided.reasons
    assert world.kinds == before
    assert world.state.release == Release(champion=ONE)


def test_a_gate_result_is_recorded_again_only_when_it_changes(world: LedgerWorld) -> None:
    gate(world, "1")
    gate(world, "1")
    gate(world, "1", "too slow")
    gate(world, "1", "too slow")
    gate(world, "1", "too slow", "too big")
    assert world.kinds == ["gated"] * 3
    reason = world.ledger.entries[-1].reason
    assert reason == "gates refused it: too slow; too big"


def test_a_version_that_the_ledger_has_as_another_run_is_refused(world: LedgerWorld) -> None:
    # Given a ledger whose registry was lost
    world.champion(ONE)
    # When a new registry starts to count again
    with pytest.raises(LedgerError, match="they do not belong together"):
        world.pipeline.registered("1", {"run_id": "s" * 32})
    # Then nothing is recorded
    assert len(world.kinds) == 4


def test_a_rollback_is_one_entry_and_restores_the_previous_champion(world: LedgerWorld) -> None:
    # Given two champions, one after the other
    world.champion(ONE)
    world.champion(TWO)
    # When it is rolled back
    made = world.ada.roll_back(reason="false alarms")
    # Then one entry records who, why and from what, and the first answers
    assert made is not None
    entry = world.ledger.entries[-1]
    assert (entry.kind, entry.version, entry.by) == ("rolled_back", "1", "Ada")
    assert entry.evidence == {
        "manifest_sha256": "a" * 64,
        "champion_before": "2",
        "named": False,
        "forced": False,
    }
    assert world.state.release == Release(champion=ONE)


def test_a_challenger_stays_on_trial_at_a_rollback_and_answers_nothing(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.champion(TWO)
    world.publish(THREE)
    world.ada.roll_out(0.5, reason="well so far")
    world.ada.roll_back(reason="false alarms")
    assert world.state.release == Release(ONE, THREE, 0.0)
    assert world.state.candidate == "3"


def test_a_rollback_that_is_repeated_does_not_go_back_twice(world: LedgerWorld) -> None:
    # Given three champions, and a rollback that was killed after its entry
    for each in (ONE, TWO, THREE):
        world.champion(each)
    world.ada.roll_back(reason="false alarms")
    # When the same is typed again, Then nothing is recorded
    assert world.ada.roll_back(reason="false alarms") is None
    assert world.state.release == Release(champion=TWO)
    # And for another reason it rolls back further
    world.ada.roll_back(reason="that one too")
    assert world.state.release == Release(champion=ONE)
    with pytest.raises(RollbackRefusedError, match="the champion is 1, and no other was before"):
        world.ada.roll_back(reason="and that one")


def test_the_pipeline_does_not_release_a_rolled_back_version_again(world: LedgerWorld) -> None:
    # Given a version that was rolled back
    world.champion(ONE)
    world.champion(TWO)
    world.ada.roll_back(reason="false alarms")
    before = world.kinds
    # When the pipeline runs again from the same data
    world.pipeline.published(TWO)
    decision = world.pipeline.promoted(TWO, rollout="direct", reason="gates passed")
    # Then it is refused, by whom and why, and how it can be restored
    assert decision.outcome == "refuse"
    (reason,) = decision.reasons
    assert reason.startswith("Ada rolled it back in entry 9 (false alarms): put it back with")
    assert world.kinds == before
    # And a person can restore it
    world.ada.roll_back("2", reason="the alarms were right")
    assert world.state.release == Release(champion=TWO)
    assert set(world.state.withdrawn) == {"1"}


def test_a_champion_from_long_ago_can_be_named(world: LedgerWorld) -> None:
    for each in (ONE, TWO, THREE):
        world.champion(each)
    world.ada.roll_back("1", reason="the last good one")
    assert world.state.release == Release(champion=ONE)
    assert world.state.champions == (ONE,)


def test_a_version_that_never_was_champion_has_to_be_forced(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.publish(TWO)
    never = r"Version 2 was never champion \(champions were 1\): promote it, or add --force"
    with pytest.raises(RollbackRefusedError, match=never):
        world.ada.roll_back("2", reason="now")
    world.ada.roll_back("2", reason="the only one that knows the new airline", force=True)
    assert world.state.release == Release(champion=TWO)
    assert world.ledger.entries[-1].evidence["forced"] is True


def test_what_was_never_published_cannot_answer_even_by_force(world: LedgerWorld) -> None:
    world.champion(ONE)
    with pytest.raises(RollbackRefusedError, match="Version 7 was never published"):
        world.ada.roll_back("7", reason="now", force=True)


def test_the_champion_is_not_rolled_back_to(world: LedgerWorld) -> None:
    world.champion(ONE)
    with pytest.raises(RollbackRefusedError, match="Version 1 is the champion already"):
        world.ada.roll_back("1", reason="now")


def test_the_weight_of_the_challenger_is_an_entry_each_time_that_it_changes(
    world: LedgerWorld,
) -> None:
    # Given a champion and a challenger
    world.champion(ONE)
    world.publish(TWO)
    # When the challenger is given more flights, one step twice
    for weight in (0.1, 0.1, 0.5, 1.0):
        world.ada.roll_out(weight, reason="no more errors than the champion")
    # Then each change is an entry, and at the end it can be promoted
    assert world.kinds[-3:] == ["rolled_out"] * 3
    assert world.ledger.entries[-1].evidence == {
        "manifest_sha256": "b" * 64,
        "weight": 1.0,
        "weight_before": 0.5,
    }
    assert world.state.release == Release(ONE, TWO, 1.0)
    decision = world.pipeline.promoted(TWO, rollout="gradual", reason="rolled out")
    assert decision.outcome == "promote"


def test_without_a_challenger_there_is_nothing_to_roll_out(world: LedgerWorld) -> None:
    world.champion(ONE)
    with pytest.raises(InterventionRefusedError, match="No version of ontime is the challenger"):
        world.ada.roll_out(0.1, reason="try")


def test_a_challenger_that_its_gates_refuse_by_now_may_only_answer_less(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.publish(TWO)
    world.ada.roll_out(0.5, reason="try")
    world.pipeline.gated("2", passed=False, reasons=("too slow",), figures={})
    with pytest.raises(InterventionRefusedError, match="may not answer more flights: too slow"):
        world.ada.roll_out(1.0, reason="try")
    world.ada.roll_out(0.0, reason="too slow")
    assert world.state.release == Release(ONE, TWO, 0.0)


def test_an_approval_is_of_a_package_and_is_recorded_once(world: LedgerWorld) -> None:
    world.publish(ONE)
    made = world.ada.approve("1", reason="read the card")
    assert made is not None
    assert made.evidence == {"manifest_sha256": "a" * 64, "gated_in_entry": 2}
    assert world.ada.approve("1", reason="read it again") is None
    decision = world.pipeline.promoted(
        ONE, rollout="direct", approval="required", reason="approved"
    )
    assert decision.outcome == "promote"
    assert world.kinds == ["registered", "gated", "published", "approved", "promoted"]


@pytest.mark.parametrize("version", ["1", "7"])
def test_only_what_is_on_trial_can_be_approved(world: LedgerWorld, version: str) -> None:
    world.champion(ONE)
    with pytest.raises(InterventionRefusedError, match="is not to be approved: it is not the publ"):
        world.ada.approve(version, reason="fine")


def test_a_challenger_that_its_gates_refuse_by_now_cannot_be_approved(world: LedgerWorld) -> None:
    world.publish(ONE)
    world.pipeline.gated("1", passed=False, reasons=("too slow",), figures={})
    with pytest.raises(InterventionRefusedError, match="cannot be approved: too slow"):
        world.ada.approve("1", reason="fine")


def test_a_rejected_challenger_answers_nothing_and_is_not_released_again(
    world: LedgerWorld,
) -> None:
    # Given a challenger that answers some flights
    world.champion(ONE)
    world.publish(TWO)
    world.ada.roll_out(0.1, reason="try")
    # When it is rejected, twice
    world.ada.reject("2", reason="unfair to one carrier")
    assert world.ada.reject("2", reason="unfair to one carrier") is None
    # Then the champion answers all, the alias is deleted, and the pipeline does not restore it
    assert world.state.release == Release(champion=ONE)
    assert world.state.candidate is None
    before = world.kinds
    world.pipeline.published(TWO)
    decision = world.pipeline.promoted(TWO, rollout="direct", reason="gates passed")
    assert decision.reasons == ("Ada rejected it in entry 9 (unfair to one carrier)",)
    assert world.kinds == before


def test_an_approval_makes_a_rejected_version_the_challenger_again(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.publish(TWO)
    world.ada.reject("2", reason="unfair to one carrier")
    world.ada.approve("2", reason="it was the data")
    assert world.state.release == Release(ONE, TWO, 0.0)
    assert (world.state.candidate, world.state.withdrawn) == ("2", {})
    decision = world.pipeline.promoted(
        TWO, rollout="direct", approval="required", reason="approved"
    )
    assert decision.outcome == "promote"


def test_a_rejected_version_waits_while_another_is_on_trial(world: LedgerWorld) -> None:
    world.publish(ONE)
    world.ada.reject("1", reason="unfair")
    world.publish(TWO)
    with pytest.raises(InterventionRefusedError, match="version 2 is the challenger now"):
        world.ada.approve("1", reason="it was the data")


def test_only_the_challenger_is_rejected(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.publish(TWO)
    with pytest.raises(InterventionRefusedError, match=r"version 2 is the challenger\. Name that"):
        world.ada.reject("1", reason="unfair")


def test_a_version_republished_with_other_bytes_needs_another_approval(
    world: LedgerWorld,
) -> None:
    # Given an approved package
    world.publish(ONE)
    world.ada.approve("1", reason="read the card")
    # When another package of the version is on trial
    other = ReleasedVersion("1", "f" * 64)
    world.pipeline.published(other)
    decision = world.pipeline.promoted(
        other, rollout="direct", approval="required", reason="approved"
    )
    # Then the approval does not count
    assert decision.outcome == "wait"
    stale = "the approval by Ada in entry 4 is of another package than the published one"
    assert decision.reasons == (f"{stale}: approve it again",)
