"""Taking the decisions about a model version and recording each of them once.

Every method is safe to repeat: what the ledger has already is not recorded again. The release
document and the aliases follow by `operations.release.follow_ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.ledger import (
    Decision,
    Kind,
    Ledger,
    LedgerError,
    Release,
    append_entry,
    read_ledger,
    state_at,
)
from operations.promotion import PromotionDecision, decide_promotion
from serving.clock import iso_ms, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from serving.release import ReleasedVersion
    from serving.stores.artifacts import ArtifactStore


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Records decisions about the versions of one registered model.

    Attributes:
        store: Where the ledger is.
        model: The registered model.
        by: Who decides: a person, or the pipeline.
        clock: Milliseconds since the epoch.
    """

    store: ArtifactStore
    model: str
    by: str
    clock: Callable[[], int] = now_ms

    def registered(self, version: str, evidence: Mapping[str, Any]) -> None:
        """Record that a version was registered, and from what.

        Args:
            version: The version.
            evidence: What it was made from; `run_id` tells it from any other.

        Raises:
            LedgerError: The ledger knows another run by this version.
            LedgerConflictError: Somebody else decided something meanwhile.
        """
        ledger = read_ledger(self.store)
        before = ledger.about(version, "registered")
        if before is not None and before.evidence["run_id"] != evidence["run_id"]:
            raise LedgerError(
                f"The registry calls run {evidence['run_id']} version {version} of {self.model}, "
                f"and the ledger knows run {before.evidence['run_id']} by it: they do not belong "
                "together. Restore the registry (mlflow.db) that the ledger is of, or start with "
                "an empty home folder (`make clean`)."
            )
        if before is None:
            reason = "trained and evaluated"
            self._append(ledger, "registered", version, reason=reason, evidence=evidence)

    def gated(
        self, version: str, *, passed: bool, reasons: tuple[str, ...], figures: Mapping[str, Any]
    ) -> None:
        """Record what the gates said about a version, unless they said the same before.

        Raises:
            LedgerConflictError: Somebody else decided something meanwhile.
        """
        ledger = read_ledger(self.store)
        before = ledger.about(version, "gated")
        verdict = {"passed": passed, "reasons": list(reasons)}
        if before is not None and verdict.items() <= before.evidence.items():
            return
        reason = "all gates passed" if passed else f"gates refused it: {'; '.join(reasons)}"
        evidence = {**verdict, "figures": dict(figures)}
        self._append(ledger, "gated", version, reason=reason, evidence=evidence)

    def published(self, version: ReleasedVersion) -> None:
        """Make a version the challenger, which answers no flights yet, unless it is released.

        Raises:
            LedgerConflictError: Somebody else decided something meanwhile.
        """
        ledger = read_ledger(self.store)
        release = state_at(ledger.entries).release
        if version in {release.champion, release.challenger}:
            return
        self._append(
            ledger,
            "published",
            version.version,
            reason="its package is in the artifact store",
            evidence={"manifest_sha256": version.manifest_sha256},
            release=Release(champion=release.champion, challenger=version),
        )

    def promoted(
        self, version: ReleasedVersion, *, rollout: Literal["direct", "gradual"], reason: str
    ) -> PromotionDecision:
        """Make a version the champion if the policy lets it; return what was decided.

        Raises:
            LedgerConflictError: Somebody else decided something meanwhile.
        """
        ledger = read_ledger(self.store)
        decision = decide_promotion(version, ledger, rollout)
        if decision.outcome == "promote":
            before = state_at(ledger.entries).release.champion
            evidence = {
                "manifest_sha256": version.manifest_sha256,
                "rollout": rollout,
                "reasons": list(decision.reasons),
                "champion_before": before.version if before else None,
            }
            self._append(
                ledger,
                "promoted",
                version.version,
                reason=reason,
                evidence=evidence,
                release=Release(champion=version),
            )
        return decision

    def _append(
        self,
        ledger: Ledger,
        kind: Kind,
        version: str,
        *,
        reason: str,
        evidence: Mapping[str, Any],
        release: Release | None = None,
    ) -> None:
        decision = Decision(
            kind=kind,
            by=self.by,
            reason=reason,
            model=self.model,
            version=version,
            evidence=dict(evidence),
            release=release,
        )
        append_entry(self.store, ledger, decision, iso_ms(self.clock()))
