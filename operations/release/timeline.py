"""The release timeline: the versions in production at a given time and why, from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.ledger.ledger import Ledger
from operations.ledger.state import state_at
from operations.release.promotion_policy import approval_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.ledger.entries import LedgerEntry
    from serving.models.release_document import ReleasedVersion


@dataclass(frozen=True, slots=True)
class VersionEvidence:
    """Why a version answered: the ledger entries that decided it.

    Attributes:
        released: The version and the checksum of its package.
        decided: The entry that gave it its place.
        registered: The entry that records its lineage; None if there is none.
        gated: The verdict of its gates by then; None if there is none.
        approval: The approval that counted by then; None if there is none.
    """

    released: ReleasedVersion
    decided: LedgerEntry
    registered: LedgerEntry | None
    gated: LedgerEntry | None
    approval: LedgerEntry | None

    @property
    def run_id(self) -> str:
        """The training run; empty if the ledger has none."""
        return str(self._origin.get("run_id", ""))

    @property
    def gold_hash(self) -> str:
        """The content hash of the feature table; empty if the ledger has none."""
        return str(self._origin.get("gold_hash", ""))

    @property
    def figures(self) -> Mapping[str, Any]:
        """The measurements of the gates."""
        figures: Mapping[str, Any] = self.gated.evidence.get("figures", {}) if self.gated else {}
        return figures

    @property
    def _origin(self) -> Mapping[str, Any]:
        return self.registered.evidence if self.registered else {}


@dataclass(frozen=True, slots=True)
class ProductionState:
    """The versions in production at a given time.

    Attributes:
        at: The time, UTC.
        champion: The version that answered; None before the first promotion.
        challenger: The version on trial; None when there was none.
        challenger_weight: Share of the flights that it answered.
        last: The entry that last changed any of this; None before the first.
    """

    at: str
    champion: VersionEvidence | None
    challenger: VersionEvidence | None
    challenger_weight: float
    last: LedgerEntry | None


def production_at(ledger: Ledger, at: str) -> ProductionState:
    """Return what was in production at a time, and why.

    Args:
        ledger: All decisions.
        at: UTC as in the entries (`2026-03-01T10:00:00.000Z`).
    """
    known = [entry for entry in ledger.entries if entry.at <= at]
    then = Ledger(tuple(known), ledger.checksums[: len(known)])
    state = state_at(then.entries)
    release = state.release
    return ProductionState(
        at=at,
        champion=_evidence(then, release.champion, "champion"),
        challenger=_evidence(then, release.challenger, "challenger"),
        challenger_weight=release.challenger_weight,
        last=state.released_by,
    )


def _evidence(then: Ledger, released: ReleasedVersion | None, place: str) -> VersionEvidence | None:
    if released is None:
        return None
    return VersionEvidence(
        released=released,
        decided=_decided(then, released, place),
        registered=then.about(released.version, "registered"),
        gated=then.about(released.version, "gated"),
        approval=approval_of(released, then),
    )


def _decided(then: Ledger, released: ReleasedVersion, place: str) -> LedgerEntry:
    """Return the entry since which a version had its place without a break."""
    held, since = None, then.entries[-1]
    for entry in then.entries:
        if entry.release is not None:
            now = getattr(entry.release, place)
            if now == released != held:
                since = entry
            held = now
    return since
