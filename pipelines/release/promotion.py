"""Making a version the champion: what the stage promote and a person's promotion share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.decisions import Decisions
from operations.release.reconciliation import follow_ledger
from operations.release.version_names import package_of, version_named
from pipelines.release.people import interventions, require_registered
from pipelines.runtime.context import StageOutcome

if TYPE_CHECKING:
    import argparse

    from operations.ledger.ledger import Ledger
    from pipelines.runtime.context import RunContext
    from serving.models.release_document import ReleasedVersion


class PromotionRefusedError(OntimeError):
    """The version does not become champion; the champion stays."""


def promote(
    context: RunContext, candidate: ReleasedVersion, *, by: str, reason: str
) -> StageOutcome:
    """Make a version the champion, or say why it has to wait.

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


def add_verdict(parser: argparse.ArgumentParser) -> None:
    """Add what a person may say of the version that is to be promoted."""
    parser.add_argument(
        "--version",
        metavar="N",
        help="a number, challenger (Staging) or champion (Production), of what is released; "
        "default: what this home registered last, or with --approve and --reject the challenger",
    )
    verdict = parser.add_mutually_exclusive_group()
    verdict.add_argument(
        "--approve", action="store_true", help="approve it first; needs --by and --reason"
    )
    verdict.add_argument(
        "--reject", action="store_true", help="take it back instead; needs --by and --reason"
    )


def judge(context: RunContext, arguments: argparse.Namespace) -> None:
    """Record what a person says of a released version, then promote it unless it was rejected.

    Raises:
        InterventionRefusedError: It is not on trial, or its gates refused it.
        PromotionRefusedError: Its gates refused it; the champion keeps answering.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    by, reason, say = arguments.by, arguments.reason, context.console.say
    version = _meant(arguments, read_ledger(context.artifacts))
    people = interventions(context, by)
    if arguments.reject:
        made = people.reject(version, reason=reason)
        follow_ledger(context.artifacts, context.registry)
        say(f"version {version} {'is' if made else 'was already'} rejected: it answers no flights")
        return
    if arguments.approve:
        made = people.approve(version, reason=reason)
        say(f"version {version} {'is' if made else 'was already'} approved")
    package = package_of(version, read_ledger(context.artifacts))
    for note in promote(context, package, by=by, reason=reason).notes:
        say(note)


def _meant(arguments: argparse.Namespace, ledger: Ledger) -> str:
    """Return the version that a person means: the one named, else the challenger.

    After a command that was killed half-way there may be no challenger any more: the same command
    means the same version.
    """
    last = state_at(ledger.entries).released_by
    judged = last is not None and last.kind in {"promoted", "rejected"}
    if last is None or not judged or (last.by, last.reason) != (arguments.by, arguments.reason):
        return version_named(arguments.version or "challenger", ledger)
    return version_named(arguments.version or last.version, ledger)
