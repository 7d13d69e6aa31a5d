from __future__ import annotations

from typing import Any

from operations.ledger.entries import Kind, LedgerEntry, Release
from operations.ledger.ledger import Ledger
from operations.release.promotion_policy import decide_promotion
from serving.models.release_document import ReleasedVersion

ONE = ReleasedVersion("1", "a" * 64)
TWO = ReleasedVersion("2", "b" * 64)
PASSED: dict[str, Any] = {"passed": True, "reasons": []}


def ledger_of(*decisions: tuple[Kind, str, dict[str, Any], Release | None]) -> Ledger:
    entries = tuple(
        LedgerEntry(
            kind=kind,
            by="pipeline",
            reason="because",
            model="ontime",
            version=version,
            evidence=evidence,
            release=release,
            sequence=sequence,
            at=f"2026-03-01T10:00:0{sequence}.000Z",
            previous_sha256="0" * 64,
        )
        for sequence, (kind, version, evidence, release) in enumerate(decisions, start=1)
    )
    return Ledger(entries, tuple("c" * 64 for _ in entries))


def test_a_published_challenger_whose_gates_passed_is_promoted_directly() -> None:
    ledger = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, TWO)),
    )
    decision = decide_promotion(TWO, ledger, "direct")
    assert decision.outcome == "promote"
    assert decision.reasons == ("its gates passed and the rollout is direct",)


def test_the_champion_stays_champion() -> None:
    ledger = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, TWO)),
        ("promoted", "2", {}, Release(TWO)),
    )
    assert decide_promotion(TWO, ledger, "direct").outcome == "unchanged"


def test_a_refused_version_is_refused_with_the_reasons_of_its_gates() -> None:
    reasons = ["auc 0.61 is below 0.73", "the leak suspicion gate"]
    ledger = ledger_of(("gated", "2", {"passed": False, "reasons": reasons}, None))
    decision = decide_promotion(TWO, ledger, "direct")
    assert decision.outcome == "refuse"
    assert decision.reasons == tuple(reasons)


def test_stricter_gates_refuse_a_version_that_was_published_before() -> None:
    ledger = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, TWO)),
        ("gated", "2", {"passed": False, "reasons": ["too slow"]}, None),
    )
    decision = decide_promotion(TWO, ledger, "direct")
    assert (decision.outcome, decision.reasons) == ("refuse", ("too slow",))


def test_a_version_that_was_never_gated_is_refused() -> None:
    ledger = ledger_of(("published", "2", {}, Release(None, TWO)))
    decision = decide_promotion(TWO, ledger, "direct")
    assert decision.outcome == "refuse"
    assert decision.reasons == ("the ledger has no result of its gates",)


def test_a_version_published_with_other_bytes_is_refused() -> None:
    other = ReleasedVersion("2", "f" * 64)
    ledger = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, other)),
    )
    decision = decide_promotion(TWO, ledger, "direct")
    assert decision.reasons == ("it is not the published challenger",)


def test_a_gradual_rollout_waits_until_the_challenger_answers_every_flight() -> None:
    halfway = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, TWO, 0.5)),
    )
    whole = ledger_of(
        ("gated", "2", PASSED, None),
        ("published", "2", {}, Release(ONE, TWO, 1.0)),
    )
    waits = decide_promotion(TWO, halfway, "gradual")
    assert waits.outcome == "wait"
    assert waits.reasons == ("the rollout is gradual and it answers 50% of the flights",)
    assert decide_promotion(TWO, whole, "gradual").outcome == "promote"


APPROVED = {"manifest_sha256": TWO.manifest_sha256}
ON_TRIAL: tuple[tuple[Kind, str, dict[str, Any], Release | None], ...] = (
    ("gated", "2", PASSED, None),
    ("published", "2", {}, Release(ONE, TWO)),
)


def test_where_approval_is_required_a_version_waits_for_a_person() -> None:
    decision = decide_promotion(TWO, ledger_of(*ON_TRIAL), "direct", "required")
    assert decision.outcome == "wait"
    assert decision.reasons[0].startswith("a person has to approve it: `ontime release approve")


def test_it_waits_for_a_person_and_for_the_rollout() -> None:
    decision = decide_promotion(TWO, ledger_of(*ON_TRIAL), "gradual", "required")
    assert (decision.outcome, len(decision.reasons)) == ("wait", 2)


def test_an_approved_version_is_promoted_and_the_reasons_name_the_person() -> None:
    ledger = ledger_of(*ON_TRIAL, ("approved", "2", APPROVED, None))
    decision = decide_promotion(TWO, ledger, "direct", "required")
    assert decision.outcome == "promote"
    assert decision.reasons[1] == "pipeline approved it in entry 3"


def test_an_approval_of_another_package_does_not_count() -> None:
    stale = {"manifest_sha256": "f" * 64}
    ledger = ledger_of(*ON_TRIAL, ("approved", "2", stale, None))
    decision = decide_promotion(TWO, ledger, "direct", "required")
    assert decision.outcome == "wait"
    assert "in entry 3 is of another package than the published one" in decision.reasons[0]


def test_an_approval_of_another_version_does_not_count() -> None:
    ledger = ledger_of(*ON_TRIAL, ("approved", "1", APPROVED, None))
    assert decide_promotion(TWO, ledger, "direct", "required").outcome == "wait"


def test_an_approval_from_before_the_last_verdict_of_the_gates_does_not_count() -> None:
    ledger = ledger_of(*ON_TRIAL, ("approved", "2", APPROVED, None), ("gated", "2", PASSED, None))
    decision = decide_promotion(TWO, ledger, "direct", "required")
    assert decision.outcome == "wait"
    assert "in entry 3 is older than the last verdict about it" in decision.reasons[0]


def test_no_approval_helps_against_the_gates() -> None:
    refused = {"passed": False, "reasons": ["too slow"]}
    ledger = ledger_of(
        ("gated", "2", refused, None), *ON_TRIAL[1:], ("approved", "2", APPROVED, None)
    )
    decision = decide_promotion(TWO, ledger, "direct", "required")
    assert (decision.outcome, decision.reasons) == ("refuse", ("too slow",))
