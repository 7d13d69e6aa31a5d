"""Whether a version may become champion: a pure decision, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from operations.ledger import state_at

if TYPE_CHECKING:
    from operations.ledger import Ledger
    from serving.release import ReleasedVersion


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """What is to be done about a candidate.

    Attributes:
        outcome: `promote` it; leave things `unchanged`, as it is champion already; `wait`, as its
            rollout is not at its end; or `refuse` it.
        reasons: Why, each a clause of a sentence; at least one.
    """

    outcome: Literal["promote", "unchanged", "wait", "refuse"]
    reasons: tuple[str, ...]


def decide_promotion(
    candidate: ReleasedVersion, ledger: Ledger, rollout: Literal["direct", "gradual"]
) -> PromotionDecision:
    """Return whether the candidate becomes champion, from what the ledger says about it.

    Args:
        candidate: The version, with the checksum of its published package.
        ledger: All decisions so far.
        rollout: `direct`: as soon as its gates passed and it is published; `gradual`: only when it
            answers every flight already.
    """
    state = state_at(ledger.entries)
    if state.release.champion == candidate:
        return PromotionDecision("unchanged", ("it is the champion already",))
    refusals = _gate_refusals(candidate.version, ledger)
    if not refusals and state.release.challenger != candidate:
        refusals = ["it is not the published challenger"]
    if refusals:
        return PromotionDecision("refuse", tuple(refusals))
    share = state.release.challenger_weight
    if rollout == "gradual" and share < 1:
        waits = f"the rollout is gradual and it answers {share:.0%} of the flights"
        return PromotionDecision("wait", (waits,))
    return PromotionDecision("promote", (f"its gates passed and the rollout is {rollout}",))


def _gate_refusals(version: str, ledger: Ledger) -> list[str]:
    gated = ledger.about(version, "gated")
    if gated is None:
        return ["the ledger has no result of its gates"]
    if gated.evidence.get("passed"):
        return []
    return [str(reason) for reason in gated.evidence.get("reasons", [])] or ["its gates refused it"]
