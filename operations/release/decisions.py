"""Decisions about model versions, each recorded once: those of the pipeline and those of a person.

Every method is idempotent: what the ledger has already is not recorded again. One entry is the
whole change; `operations.release.reconciliation.follow_ledger` updates release document and
aliases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ontime_base.errors import OntimeError
from operations.ledger.entries import Decision, Release
from operations.ledger.ledger import Ledger, LedgerError
from operations.ledger.recorder import Recorder
from operations.ledger.state import state_at
from operations.release.promotion_policy import (
    Approval,
    PromotionDecision,
    approval_of,
    decide_promotion,
    gate_refusals,
    withdrawal,
)
from operations.release.rollback_policy import decide_rollback, done_already
from serving.models.release_document import ReleasedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.ledger.state import LedgerState
    from operations.release.promotion_policy import Rollout


class InterventionRefusedError(OntimeError):
    """The ledger does not allow the decision; nothing was recorded."""


class Decisions(Recorder):
    """Records the decisions of the pipeline about the versions of one registered model."""

    def registered(self, version: str, evidence: Mapping[str, Any]) -> None:
        """Record that a version was registered, and from what.

        Args:
            version: The version.
            evidence: What it was made from; `run_id` identifies it.

        Raises:
            LedgerError: The ledger has another run for this version.
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
        """Record the verdict of the gates on a version, unless it is the same as before.

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

        Nothing is recorded if it is released already, or if a person withdrew it.

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


class Interventions(Recorder):
    """Records the decisions of a person about the versions of one registered model."""

    def approve(self, version: str, *, reason: str) -> Decision | None:
        """Record that a person approves the published package of a version.

        A version that was rejected becomes the challenger again.

        Returns:
            What was recorded; None if its approval stands already.

        Raises:
            InterventionRefusedError: It is not the challenger, or its gates refused it.
            LedgerConflictError: Somebody else released something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            state = state_at(ledger.entries)
            if _is_approved(version, ledger, state):
                return None
            package, release = _to_be_judged(version, ledger, state, self.model)
            refusals = gate_refusals(version, ledger)
            if refusals:
                raise InterventionRefusedError(
                    f"Version {version} of {self.model} cannot be approved: {'; '.join(refusals)}. "
                    "Improve the model, or change training.gates in conf/ if the gates are wrong."
                )
            gated = ledger.about(version, "gated")
            return self.decision(
                "approved",
                version,
                reason=reason,
                evidence={
                    "manifest_sha256": package.manifest_sha256,
                    "gated_in_entry": gated.sequence if gated else None,
                },
                release=release,
            )

        return self.commit(decide)

    def reject(self, version: str, *, reason: str) -> Decision | None:
        """Record that a person rejects the challenger; it answers no flights from then on.

        Returns:
            What was recorded; None if it is rejected already.

        Raises:
            InterventionRefusedError: It is not the challenger.
            LedgerConflictError: Somebody else released something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            state = state_at(ledger.entries)
            before = state.withdrawn.get(version)
            if before is not None and before.kind == "rejected":
                return None
            challenger = self._challenger(state)
            if challenger.version != version:
                raise InterventionRefusedError(
                    f"Version {version} of {self.model} cannot be rejected: version "
                    f"{challenger.version} is the challenger. Name that, or roll back."
                )
            return self.decision(
                "rejected",
                version,
                reason=reason,
                evidence={"manifest_sha256": challenger.manifest_sha256},
                release=Release(champion=state.release.champion),
            )

        return self.commit(decide)

    def roll_out(self, weight: float, *, reason: str) -> Decision | None:
        """Let the challenger answer this share of the flights.

        Args:
            weight: 0 to 1.
            reason: Why, for the ledger.

        Returns:
            What was recorded; None if it answers that share already.

        Raises:
            InterventionRefusedError: There is no challenger, or its gates refuse it by now.
            LedgerConflictError: Somebody else released something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            state = state_at(ledger.entries)
            challenger, before = self._challenger(state), state.release.challenger_weight
            if weight == before:
                return None
            refusals = gate_refusals(challenger.version, ledger)
            if refusals and weight > before:
                raise InterventionRefusedError(
                    f"Version {challenger.version} of {self.model} may not answer more flights: "
                    f"{'; '.join(refusals)}. Set its weight to 0, or reject it."
                )
            return self.decision(
                "rolled_out",
                challenger.version,
                reason=reason,
                evidence={
                    "manifest_sha256": challenger.manifest_sha256,
                    "weight": weight,
                    "weight_before": before,
                },
                release=Release(state.release.champion, challenger, weight),
            )

        return self.commit(decide)

    def roll_back(
        self, to_version: str | None = None, *, reason: str, force: bool = False
    ) -> Decision | None:
        """Make an earlier champion the champion again; it answers every flight.

        A challenger stays, and answers none.

        Args:
            to_version: Which; None: the champion before this one.
            reason: Why, for the ledger.
            force: Whether a published version may be taken that never was champion.

        Returns:
            What was recorded; None if this very rollback was the last change already.

        Raises:
            RollbackRefusedError: There is no such version to go back to.
            LedgerConflictError: Somebody else released something meanwhile.
        """

        def decide(ledger: Ledger) -> Decision | None:
            state = state_at(ledger.entries)
            if done_already(state, to_version, by=self.by, reason=reason):
                return None
            target = decide_rollback(ledger, to_version, force=force)
            before, challenger = state.release.champion, state.release.challenger
            return self.decision(
                "rolled_back",
                target.version,
                reason=reason,
                evidence={
                    "manifest_sha256": target.manifest_sha256,
                    "champion_before": before.version if before else None,
                    "named": to_version is not None,
                    "forced": target not in state.champions and force,
                },
                release=Release(target, None if challenger == target else challenger),
            )

        return self.commit(decide)

    def _challenger(self, state: LedgerState) -> ReleasedVersion:
        if state.release.challenger is None:
            raise InterventionRefusedError(
                f"No version of {self.model} is the challenger: `ontime publish` "
                "releases one whose gates passed."
            )
        return state.release.challenger


def known_run(ledger: Ledger, model: str, version: str, run_id: str) -> bool:
    """Return whether the ledger has a version, of this very run.

    Raises:
        LedgerError: It has another run for it: the registry was lost and counts again.
    """
    before = ledger.about(version, "registered")
    if before is not None and before.evidence["run_id"] != run_id:
        raise LedgerError(
            f"The registry calls run {run_id} version {version} of {model}, and the ledger "
            f"has run {before.evidence['run_id']} for it: they do not belong together. Restore the "
            "registry (mlflow.db) that the ledger is of, or start with an empty home folder "
            "(`make clean`)."
        )
    return before is not None


def _is_approved(version: str, ledger: Ledger, state: LedgerState) -> bool:
    """Return whether the approval of a released version stands, before or after its promotion."""
    for released in (state.release.champion, state.release.challenger):
        if released is not None and released.version == version:
            return approval_of(released, ledger) is not None
    return False


def _to_be_judged(
    version: str, ledger: Ledger, state: LedgerState, model: str
) -> tuple[ReleasedVersion, Release | None]:
    """Return the package that a verdict is about, and what is released by an approval of it."""
    challenger, published = state.release.challenger, ledger.about(version, "published")
    if challenger is not None and challenger.version == version:
        return challenger, None
    taken_back = state.withdrawn.get(version)
    if taken_back is None or taken_back.kind != "rejected" or published is None:
        why = withdrawal(version, state) or "it is not the published challenger"
        raise InterventionRefusedError(
            f"Version {version} of {model} is not to be approved: {why}. "
            "`ontime release ledger show` lists what is."
        )
    if challenger is not None:
        raise InterventionRefusedError(
            f"Version {version} of {model} was rejected, and version {challenger.version} is the "
            "challenger now: reject that one first."
        )
    package = ReleasedVersion(version, str(published.evidence["manifest_sha256"]))
    return package, Release(state.release.champion, package)
