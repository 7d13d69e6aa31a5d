"""The promotion policy: a pure decision whether a version becomes champion, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from operations.ledger.state import state_at

if TYPE_CHECKING:
    from operations.ledger.entries import LedgerEntry
    from operations.ledger.ledger import Ledger
    from operations.ledger.state import LedgerState
    from serving.models.release_document import ReleasedVersion

Rollout: TypeAlias = Literal["direct", "gradual"]
Approval: TypeAlias = Literal["none", "required"]


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """The decision about a candidate.

    Attributes:
        outcome: `promote` it; leave things `unchanged`, as it is champion already; `wait`, for a
            person or for the end of its rollout; or `refuse` it.
        reasons: Why, each a clause of a sentence; at least one.
    """

    outcome: Literal["promote", "unchanged", "wait", "refuse"]
    reasons: tuple[str, ...]


def decide_promotion(
    candidate: ReleasedVersion, ledger: Ledger, rollout: Rollout, approval: Approval = "none"
) -> PromotionDecision:
    """Return whether the candidate becomes champion, from its entries in the ledger.

    Args:
        candidate: The version, with the checksum of its published package.
        ledger: All decisions so far.
        rollout: `direct`: as soon as its gates passed and it is published; `gradual`: only when it
            answers every flight already.
        approval: `required`: only when a person has approved this very package.
    """
    state = state_at(ledger.entries)
    if state.release.champion == candidate:
        return PromotionDecision("unchanged", ("it is the champion already",))
    refusals = gate_refusals(candidate.version, ledger)
    if not refusals and state.release.challenger != candidate:
        refusals = [withdrawal(candidate.version, state) or "it is not the published challenger"]
    if refusals:
        return PromotionDecision("refuse", tuple(refusals))
    approved = approval_of(candidate, ledger)
    waits = []
    if approval == "required" and approved is None:
        waits.append(_unapproved(candidate, ledger))
    share = state.release.challenger_weight
    if rollout == "gradual" and share < 1:
        waits.append(f"the rollout is gradual and it answers {share:.0%} of the flights")
    if waits:
        return PromotionDecision("wait", tuple(waits))
    reasons = [f"its gates passed and the rollout is {rollout}"]
    if approved is not None:
        reasons.append(f"{approved.by} approved it in entry {approved.sequence}")
    return PromotionDecision("promote", tuple(reasons))


def approval_of(candidate: ReleasedVersion, ledger: Ledger) -> LedgerEntry | None:
    """Return the approval that counts for a package; None if there is none.

    It counts for this very package, on the verdict of the gates that was given, and until somebody
    rejects the version.
    """
    gated = ledger.about(candidate.version, "gated")
    rejected = ledger.about(candidate.version, "rejected")
    since = max(entry.sequence if entry else 0 for entry in (gated, rejected))
    for entry in reversed(ledger.entries[since:]):
        same = entry.version == candidate.version
        if same and entry.kind == "approved" and _package(entry) == candidate.manifest_sha256:
            return entry
    return None


def gate_refusals(version: str, ledger: Ledger) -> list[str]:
    """Return why the gates do not let a version pass; empty if they do."""
    gated = ledger.about(version, "gated")
    if gated is None:
        return ["the ledger has no result of its gates"]
    if gated.evidence.get("passed"):
        return []
    return [str(reason) for reason in gated.evidence.get("reasons", [])] or ["its gates refused it"]


def withdrawal(version: str, state: LedgerState) -> str:
    """Return who withdrew a version and why, as a clause; empty if it was not withdrawn."""
    entry = state.withdrawn.get(version)
    if entry is None:
        return ""
    if entry.kind == "rejected":
        return f"{entry.by} rejected it in entry {entry.sequence} ({entry.reason})"
    return (
        f"{entry.by} rolled it back in entry {entry.sequence} ({entry.reason}): put it back with "
        f"`ontime release rollback --version {version}`, or train another version"
    )


def _unapproved(candidate: ReleasedVersion, ledger: Ledger) -> str:
    stale = ledger.about(candidate.version, "approved")
    if stale is None:
        return "a person has to approve it: `ontime release approve --by NAME --reason WHY`"
    if _package(stale) != candidate.manifest_sha256:
        other = "is of another package than the published one"
    else:
        other = "is older than the last verdict about it"
    return f"the approval by {stale.by} in entry {stale.sequence} {other}: approve it again"


def _package(entry: LedgerEntry) -> str:
    return str(entry.evidence.get("manifest_sha256", ""))
