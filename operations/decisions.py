"""The decisions of the pipeline about a model version, each recorded once.

Every method is safe to repeat: what the ledger has already is not recorded again. The release
document and the aliases follow by `operations.release.follow_ledger`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations.entries import Decision, Release
from operations.ledger import Ledger, LedgerError
from operations.promotion import Approval, PromotionDecision, decide_promotion
from operations.recorder import Recorder
from operations.state import state_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.promotion import Rollout
    from serving.release import ReleasedVersion


class Decisions(Recorder):
    """Records what the pipeline decides about the versions of one registered model."""

    def registered(self, version: str, evidence: Mapping[str, Any]) -> None:
        """Record that a version was registered, and from what.

        Args:
            version: The version.
            evidence: What it was made from; `run_id` tells it from any other.

        Raises:
            LedgerError: The ledger knows another run by this version.
            LedgerConflictError: Somebody else decided something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            if known_run(ledger, self.model, version, evidence["run_id"]):
                return None
            reason = "trained and evaluated"
            return self.decision("registered", version, reason=reason, evidence=evidence)

        self.commit(decide)

    def gated(
        self, version: str, *, passed: bool, reasons: tuple[str, ...], figures: Mapping[str, Any]
    ) -> None:
        """Record what the gates said about a version, unless they said the same before.

        Raises:
            LedgerConflictError: Somebody else decided something meanwhile.
        """
        verdict = {"passed": passed, "reasons": list(reasons)}
        reason = "all gates passed" if passed else f"gates refused it: {'; '.join(reasons)}"

        def decide(ledger: Ledger) -> Decision | None:
            before = ledger.about(version, "gated")
            if before is not None and verdict.items() <= before.evidence.items():
                return None
            evidence = {**verdict, "figures": dict(figures)}
            return self.decision("gated", version, reason=reason, evidence=evidence)

        self.commit(decide)

    def published(self, version: ReleasedVersion) -> None:
        """Make a version the challenger, which answers no flights yet.

        Nothing is recorded if it is released already, or if a person took it back.

        Raises:
            LedgerConflictError: Somebody else released something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            state = state_at(ledger.entries)
            release = state.release
            if version in {release.champion, release.challenger}:
                return None
            if version.version in state.withdrawn:
                return None
            return self.decision(
                "published",
                version.version,
                reason="its package is in the artifact store",
                evidence={"manifest_sha256": version.manifest_sha256},
                release=Release(champion=release.champion, challenger=version),
            )

        self.commit(decide)

    def promoted(
        self,
        version: ReleasedVersion,
        *,
        rollout: Rollout,
        reason: str,
        approval: Approval = "none",
    ) -> PromotionDecision:
        """Make a version the champion if the policy lets it; return what was decided.

        Raises:
            LedgerConflictError: Somebody else released something meanwhile.
        """
        taken: list[PromotionDecision] = []

        def decide(ledger: Ledger) -> Decision | None:
            taken.append(decide_promotion(version, ledger, rollout, approval))
            if taken[-1].outcome != "promote":
                return None
            before = state_at(ledger.entries).release.champion
            evidence = {
                "manifest_sha256": version.manifest_sha256,
                "rollout": rollout,
                "approval": approval,
                "reasons": list(taken[-1].reasons),
                "champion_before": before.version if before else None,
            }
            return self.decision(
                "promoted",
                version.version,
                reason=reason,
                evidence=evidence,
                release=Release(champion=version),
            )

        self.commit(decide)
        return taken[-1]


def known_run(ledger: Ledger, model: str, version: str, run_id: str) -> bool:
    """Return whether the ledger knows a version, of this very run.

    Raises:
        LedgerError: It knows another run by it: the registry was lost and counts again.
    """
    before = ledger.about(version, "registered")
    if before is not None and before.evidence["run_id"] != run_id:
        raise LedgerError(
            f"The registry calls run {run_id} version {version} of {model}, and the ledger knows "
            f"run {before.evidence['run_id']} by it: they do not belong together. Restore the "
            "registry (mlflow.db) that the ledger is of, or start with an empty home folder "
            "(`make clean`)."
        )
    return before is not None
