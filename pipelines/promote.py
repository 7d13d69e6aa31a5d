"""Stage promote: the challenger to champion, if the rollout policy lets it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features.errors import OntimeError
from operations.decisions import Decisions
from operations.release import follow_ledger
from pipelines.command import stage_main
from pipelines.context import StageOutcome
from serving.release import ReleasedVersion

if TYPE_CHECKING:
    from pipelines.context import RunContext


class PromotionRefusedError(OntimeError):
    """The version does not become champion; the champion stays."""


def run(context: RunContext, *, by: str = "pipeline", reason: str = "gates passed") -> StageOutcome:
    """Make the registered version the champion, or say why it has to wait.

    Args:
        context: What every stage is given.
        by: Who decides.
        reason: Why, for the ledger.

    Raises:
        PromotionRefusedError: Its gates refused it; the champion keeps answering.
        LedgerConflictError: Somebody else decided something meanwhile.
    """
    name, rollout = context.settings.serving.model_name, context.settings.operations.rollout
    version = str(context.outputs("register")["version"])
    manifest = str(context.outputs("publish")["manifest_sha256"])
    decisions = Decisions(store=context.artifacts, model=name, by=by)
    candidate = ReleasedVersion(version, manifest)
    decision = decisions.promoted(candidate, rollout=rollout, reason=reason)
    followed = follow_ledger(context.artifacts, context.registry)
    reasons = "; ".join(decision.reasons)
    if decision.outcome == "refuse":
        champion = context.registry.version_of("champion")
        keeps = f"version {champion} keeps answering" if champion else "there is no champion yet"
        raise PromotionRefusedError(
            f"Version {version} of {name} is not promoted: {reasons}; {keeps}. Improve the model, "
            "or change training.gates in conf/ if the gates are wrong."
        )
    outputs = {"version": version, "outcome": decision.outcome}
    verb = {"promote": "is the champion now", "wait": "waits", "unchanged": "stays"}
    notes = [f"version {version} {verb[decision.outcome]}: {reasons}"]
    if followed and decision.outcome == "unchanged":
        notes.append(f"repaired from the ledger: {', '.join(followed)}")
    return StageOutcome(outputs, tuple(notes))


if __name__ == "__main__":
    sys.exit(stage_main("promote"))
