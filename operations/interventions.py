"""What a person (or the rollout's watch) decides about released versions, each recorded once.

Every method is safe to repeat, and one entry is the whole change: the release document and the
aliases follow by `operations.release.follow_ledger`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.errors import OntimeError
from operations.entries import Decision, Release
from operations.promotion import approval_of, gate_refusals, withdrawal
from operations.recorder import Recorder
from operations.rollback import decide_rollback, done_already
from operations.state import state_at
from serving.release import ReleasedVersion

if TYPE_CHECKING:
    from operations.ledger import Ledger
    from operations.state import LedgerState


class InterventionRefusedError(OntimeError):
    """What is asked for cannot be decided on what the ledger says; nothing was recorded."""


class Interventions(Recorder):
    """Records what people decide about the versions of one registered model."""

    def approve(self, version: str, *, reason: str) -> Decision | None:
        """Record that a person approves the published package of a version.

        A version that was rejected becomes the challenger again.

        Returns:
            What was recorded; None if its approval stands already.

        Raises:
            InterventionRefusedError: It is not on trial, or its gates refused it.
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

        A challenger stays on trial and answers none.

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
                f"No version of {self.model} is the challenger: `python -m pipelines.publish` "
                "releases one whose gates passed."
            )
        return state.release.challenger


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
            f"Version {version} of {model} is not to be approved: {why}. `python -m "
            "pipelines.ledger show` tells what is."
        )
    if challenger is not None:
        raise InterventionRefusedError(
            f"Version {version} of {model} was rejected, and version {challenger.version} is the "
            "challenger now: reject that one first."
        )
    package = ReleasedVersion(version, str(published.evidence["manifest_sha256"]))
    return package, Release(state.release.champion, package)
