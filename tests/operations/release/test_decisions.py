from __future__ import annotations

import pytest

from operations.ledger.entries import Release
from operations.release.decisions import InterventionRefusedError
from operations.release.rollback_policy import RollbackRefusedError
from serving.models.release_document import ReleasedVersion
from tests.operations.lives import ONE, THREE, TWO, Life


def test_a_rollback_is_one_entry_and_puts_the_champion_before_back(life: Life) -> None:
    # Given two champions, one after the other
    life.champion(ONE)
    life.champion(TWO)
    # When it is rolled back
    made = life.ada.roll_back(reason="false alarms")
    # Then one entry says who, why and from what, and the first answers
    assert made is not None
    entry = life.ledger.entries[-1]
    assert (entry.kind, entry.version, entry.by) == ("rolled_back", "1", "Ada")
    assert entry.evidence == {
        "manifest_sha256": "a" * 64,
        "champion_before": "2",
        "named": False,
        "forced": False,
    }
    assert life.state.release == Release(champion=ONE)


def test_a_challenger_stays_on_trial_at_a_rollback_and_answers_nothing(life: Life) -> None:
    life.champion(ONE)
    life.champion(TWO)
    life.on_trial(THREE)
    life.ada.roll_out(0.5, reason="well so far")
    life.ada.roll_back(reason="false alarms")
    assert life.state.release == Release(ONE, THREE, 0.0)
    assert life.state.candidate == "3"


def test_a_rollback_that_is_repeated_does_not_go_back_twice(life: Life) -> None:
    # Given three champions, and a rollback that was killed after its entry
    for each in (ONE, TWO, THREE):
        life.champion(each)
    life.ada.roll_back(reason="false alarms")
    # When the same is typed again, Then nothing is recorded
    assert life.ada.roll_back(reason="false alarms") is None
    assert life.state.release == Release(champion=TWO)
    # And for another reason it goes back further
    life.ada.roll_back(reason="that one too")
    assert life.state.release == Release(champion=ONE)
    with pytest.raises(RollbackRefusedError, match="the champion is 1, and no other was before"):
        life.ada.roll_back(reason="and that one")


def test_the_pipeline_does_not_release_again_what_was_rolled_back(life: Life) -> None:
    # Given a version that was rolled back
    life.champion(ONE)
    life.champion(TWO)
    life.ada.roll_back(reason="false alarms")
    before = life.kinds
    # When the pipeline runs again from the same data
    life.pipeline.published(TWO)
    decision = life.pipeline.promoted(TWO, rollout="direct", reason="gates passed")
    # Then it is refused, by whom and why, and how it can be put back
    assert decision.outcome == "refuse"
    (reason,) = decision.reasons
    assert reason.startswith("Ada rolled it back in entry 9 (false alarms): put it back with")
    assert life.kinds == before
    # And a person can put it back
    life.ada.roll_back("2", reason="the alarms were right")
    assert life.state.release == Release(champion=TWO)
    assert set(life.state.withdrawn) == {"1"}


def test_a_champion_of_long_ago_can_be_named(life: Life) -> None:
    for each in (ONE, TWO, THREE):
        life.champion(each)
    life.ada.roll_back("1", reason="the last good one")
    assert life.state.release == Release(champion=ONE)
    assert life.state.champions == (ONE,)


def test_a_version_that_never_was_champion_has_to_be_forced(life: Life) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    never = r"Version 2 was never champion \(champions were 1\): promote it, or add --force"
    with pytest.raises(RollbackRefusedError, match=never):
        life.ada.roll_back("2", reason="now")
    life.ada.roll_back("2", reason="the only one that knows the new airline", force=True)
    assert life.state.release == Release(champion=TWO)
    assert life.ledger.entries[-1].evidence["forced"] is True


def test_what_was_never_published_cannot_answer_even_by_force(life: Life) -> None:
    life.champion(ONE)
    with pytest.raises(RollbackRefusedError, match="Version 7 was never published"):
        life.ada.roll_back("7", reason="now", force=True)


def test_the_champion_is_not_rolled_back_to(life: Life) -> None:
    life.champion(ONE)
    with pytest.raises(RollbackRefusedError, match="Version 1 is the champion already"):
        life.ada.roll_back("1", reason="now")


def test_the_weight_of_the_challenger_is_an_entry_each_time_that_it_changes(life: Life) -> None:
    # Given a champion and a challenger
    life.champion(ONE)
    life.on_trial(TWO)
    # When the challenger is given more flights, one step twice
    for weight in (0.1, 0.1, 0.5, 1.0):
        life.ada.roll_out(weight, reason="no more errors than the champion")
    # Then each change is an entry, and at the end it can be promoted
    assert life.kinds[-3:] == ["rolled_out"] * 3
    assert life.ledger.entries[-1].evidence == {
        "manifest_sha256": "b" * 64,
        "weight": 1.0,
        "weight_before": 0.5,
    }
    assert life.state.release == Release(ONE, TWO, 1.0)
    decision = life.pipeline.promoted(TWO, rollout="gradual", reason="rolled out")
    assert decision.outcome == "promote"


def test_without_a_challenger_there_is_nothing_to_roll_out(life: Life) -> None:
    life.champion(ONE)
    with pytest.raises(InterventionRefusedError, match="No version of ontime is the challenger"):
        life.ada.roll_out(0.1, reason="try")


def test_a_challenger_that_its_gates_refuse_by_now_may_only_answer_less(life: Life) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    life.ada.roll_out(0.5, reason="try")
    life.pipeline.gated("2", passed=False, reasons=("too slow",), figures={})
    with pytest.raises(InterventionRefusedError, match="may not answer more flights: too slow"):
        life.ada.roll_out(1.0, reason="try")
    life.ada.roll_out(0.0, reason="too slow")
    assert life.state.release == Release(ONE, TWO, 0.0)


def test_an_approval_is_of_a_package_and_is_recorded_once(life: Life) -> None:
    life.on_trial(ONE)
    made = life.ada.approve("1", reason="read the card")
    assert made is not None
    assert made.evidence == {"manifest_sha256": "a" * 64, "gated_in_entry": 2}
    assert life.ada.approve("1", reason="read it again") is None
    decision = life.pipeline.promoted(ONE, rollout="direct", approval="required", reason="approved")
    assert decision.outcome == "promote"
    assert life.kinds == ["registered", "gated", "published", "approved", "promoted"]


@pytest.mark.parametrize("version", ["1", "7"])
def test_only_what_is_on_trial_can_be_approved(life: Life, version: str) -> None:
    life.champion(ONE)
    with pytest.raises(InterventionRefusedError, match="is not to be approved: it is not the publ"):
        life.ada.approve(version, reason="fine")


def test_a_challenger_that_its_gates_refuse_by_now_cannot_be_approved(life: Life) -> None:
    life.on_trial(ONE)
    life.pipeline.gated("1", passed=False, reasons=("too slow",), figures={})
    with pytest.raises(InterventionRefusedError, match="cannot be approved: too slow"):
        life.ada.approve("1", reason="fine")


def test_a_rejected_challenger_answers_nothing_and_is_not_released_again(life: Life) -> None:
    # Given a challenger that answers some flights
    life.champion(ONE)
    life.on_trial(TWO)
    life.ada.roll_out(0.1, reason="try")
    # When it is rejected, twice
    life.ada.reject("2", reason="unfair to one carrier")
    assert life.ada.reject("2", reason="unfair to one carrier") is None
    # Then the champion answers all, the alias is gone, and the pipeline leaves it so
    assert life.state.release == Release(champion=ONE)
    assert life.state.candidate is None
    before = life.kinds
    life.pipeline.published(TWO)
    decision = life.pipeline.promoted(TWO, rollout="direct", reason="gates passed")
    assert decision.reasons == ("Ada rejected it in entry 9 (unfair to one carrier)",)
    assert life.kinds == before


def test_an_approval_makes_a_rejected_version_the_challenger_again(life: Life) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    life.ada.reject("2", reason="unfair to one carrier")
    life.ada.approve("2", reason="it was the data")
    assert life.state.release == Release(ONE, TWO, 0.0)
    assert (life.state.candidate, life.state.withdrawn) == ("2", {})
    decision = life.pipeline.promoted(TWO, rollout="direct", approval="required", reason="approved")
    assert decision.outcome == "promote"


def test_a_rejected_version_waits_while_another_is_on_trial(life: Life) -> None:
    life.on_trial(ONE)
    life.ada.reject("1", reason="unfair")
    life.on_trial(TWO)
    with pytest.raises(InterventionRefusedError, match="version 2 is the challenger now"):
        life.ada.approve("1", reason="it was the data")


def test_only_the_challenger_is_rejected(life: Life) -> None:
    life.champion(ONE)
    life.on_trial(TWO)
    with pytest.raises(InterventionRefusedError, match=r"version 2 is the challenger\. Name that"):
        life.ada.reject("1", reason="unfair")


def test_a_version_published_anew_with_other_bytes_needs_another_approval(life: Life) -> None:
    # Given an approved package
    life.on_trial(ONE)
    life.ada.approve("1", reason="read the card")
    # When another package of the version is on trial
    other = ReleasedVersion("1", "f" * 64)
    life.pipeline.published(other)
    decision = life.pipeline.promoted(
        other, rollout="direct", approval="required", reason="approved"
    )
    # Then the approval does not count
    assert decision.outcome == "wait"
    stale = "the approval by Ada in entry 4 is of another package than the published one"
    assert decision.reasons == (f"{stale}: it has to be given anew",)
