"""Promotion to champion, shared by the stage `promote` and the command of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from operations.release.decisions import Decisions
from operations.release.reconciliation import follow_ledger
from pipelines.release.packaging import require_registered
from pipelines.runtime.context import StageOutcome

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from serving.models.release_document import ReleasedVersion


class PromotionRefusedError(OntimeError):
    """The version does not become champion; the champion stays."""


def promote(
    context: RunContext, candidate: ReleasedVersion, *, by: str, reason: str
) -> StageOutcome:
    """Make a version the champion, or report why it has to wait.

    Args:
        context: What every stage is given.
        candidate: The version, with the checksum of its published package.
        by: Who decides.
        reason: Why, for the ledger.

    Raises:
        PromotionRefusedError: Its gates or a person refused it; the champion keeps answering.
        RegistryError: The registry does not have the version.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    name, operations = context.settings.serving.model_name, context.settings.operations
    version = candidate.version
    require_registered(context, version)
    decision = Decisions(store=context.artifacts, model=name, by=by).promoted(
        candidate, rollout=operations.rollout, approval=operations.approval, reason=reason
    )
    followed = follow_ledger(context.artifacts, context.registry)
    reasons = "; ".join(decision.reasons)
    if decision.outcome == "refuse":
        champion = context.registry.version_of("champion")
        keeps = f"version {champion} keeps answering" if champion else "there is no champion yet"
        raise PromotionRefusedError(
            f"Version {version} of {name} is not promoted: {reasons}; {keeps}. Improve the model, "
            "or change training.gates in conf/ if the gates are wrong."
        )
    outputs = {"version": version, "outcome": decision.outcome, "reasons": decision.reasons}
    verb = {"promote": "is the champion now", "wait": "waits", "unchanged": "stays"}
    notes = [f"version {version} {verb[decision.outcome]}: {reasons}"]
    if followed and decision.outcome == "unchanged":
        notes.append(f"repaired from the ledger: {', '.join(followed)}")
    return StageOutcome(outputs, tuple(notes))
