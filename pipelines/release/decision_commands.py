"""Decision commands on released versions: approve, reject, promote, roll out, roll back.

Each is one ledger entry; release document and aliases are updated from it. None acquires the lock
of the home: a rollback does not wait for a training run. Of two concurrent decisions the ledger
accepts one. Each is idempotent: a command that was killed half-way is finished by running it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.deciders import require_person
from operations.release.decisions import Interventions
from operations.release.reconciliation import (
    follow_ledger,
    follow_with_aliases,
    follow_with_document,
)
from operations.release.rollback_policy import decide_rollback, done_already
from operations.release.version_names import package_of, version_named
from pipelines.release.packaging import require_own_registry, require_servable
from pipelines.release.promotion import promote
from training.registry.registry_errors import RegistryError, RegistryUnusableError

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger
    from pipelines.runtime.context import RunContext
    from serving.models.release_document import ReleasedVersion


def approve_version(
    context: RunContext, *, by: str, reason: str, version: str | None = None
) -> None:
    """Approve a released version, then promote it as far as the policy allows.

    Args:
        context: Stores, registry, settings and console.
        by: Who decides.
        reason: Why, for the ledger.
        version: A number or an alias (`challenger`, `Staging`, ...); None: the challenger.

    Raises:
        DeciderError: The name or the reason cannot be kept.
        InterventionRefusedError: It is not the challenger, or its gates refused it.
        PromotionRefusedError: Its gates refused it; the champion keeps answering.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_person(by, reason)
    ledger = read_ledger(context.artifacts)
    number = _version_meant(ledger, version, by=by, reason=reason)
    recorded = _interventions(context, by).approve(number, reason=reason)
    verb = "is" if recorded else "was already"
    context.console.say(f"version {number} {verb} approved")
    _promote(context, package_of(number, ledger), by=by, reason=reason)


def reject_version(
    context: RunContext, *, by: str, reason: str, version: str | None = None
) -> None:
    """Withdraw the challenger; it answers no flights from then on.

    Args:
        context: Stores, registry, settings and console.
        by: Who decides.
        reason: Why, for the ledger.
        version: A number or an alias; None: the challenger.

    Raises:
        DeciderError: The name or the reason cannot be kept.
        InterventionRefusedError: It is not the challenger.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_person(by, reason)
    number = _version_meant(read_ledger(context.artifacts), version, by=by, reason=reason)
    recorded = _interventions(context, by).reject(number, reason=reason)
    follow_ledger(context.artifacts, context.registry)
    verb = "is" if recorded else "was already"
    context.console.say(f"version {number} {verb} rejected: it answers no flights")


def promote_version(
    context: RunContext, *, by: str, reason: str, version: str | None = None
) -> None:
    """Make a released version the champion, or report why it has to wait.

    Args:
        context: Stores, registry, settings and console.
        by: Who decides.
        reason: Why, for the ledger.
        version: A number or an alias; None: the challenger.

    Raises:
        DeciderError: The name or the reason cannot be kept.
        PromotionRefusedError: Its gates refused it; the champion keeps answering.
        UnknownReleaseError: There is no such version, or it was never published.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_person(by, reason)
    ledger = read_ledger(context.artifacts)
    number = _version_meant(ledger, version, by=by, reason=reason)
    _promote(context, package_of(number, ledger), by=by, reason=reason)


def roll_out(context: RunContext, weight: float, *, by: str, reason: str) -> None:
    """Set the share of the flights that the challenger answers; at 1 it can be promoted.

    Args:
        context: Stores, registry, settings and console.
        weight: The share, 0 to 1.
        by: Who decides.
        reason: Why, for the ledger.

    Raises:
        DeciderError: The name or the reason cannot be kept.
        InterventionRefusedError: There is no challenger, or its gates refuse it by now.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_person(by, reason)
    recorded = _interventions(context, by).roll_out(weight, reason=reason)
    if recorded is None:
        context.console.say(f"nothing to do: the challenger answers {weight:.0%} of the flights")
    else:
        before = recorded.evidence["weight_before"]
        shares = f"{weight:.0%} of the flights, was {before:.0%}"
        context.console.say(f"version {recorded.version} answers {shares}")
    _follow(context)


def roll_back(
    context: RunContext, *, by: str, reason: str, to_version: str | None = None, force: bool = False
) -> None:
    """Make the previous champion, or an earlier one, the champion again, without a redeploy.

    Args:
        context: Stores, registry, settings and console.
        by: Who decides.
        reason: Why, for the ledger.
        to_version: A number or an alias; None: the champion before this one.
        force: Accept a published version that never was champion, or was deleted from the registry.

    Raises:
        DeciderError: The name or the reason cannot be kept.
        RollbackRefusedError: There is no such version to go back to.
        ModelPackageError: Its package is damaged.
        RegistryError: The version was deleted from the registry, and `force` is not given.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_person(by, reason)
    ledger, say = read_ledger(context.artifacts), context.console.say
    number = None if to_version is None else version_named(to_version, ledger)
    if not done_already(state_at(ledger.entries), number, by=by, reason=reason):
        require_servable(context, decide_rollback(ledger, number, force=force), force=force)
    recorded = _interventions(context, by).roll_back(number, reason=reason, force=force)
    release = state_at(read_ledger(context.artifacts).entries).release
    champion = release.champion.version if release.champion else "none"
    if recorded is None:
        say(f"done already, by {by} for this reason: the champion is {champion}")
    else:
        before = recorded.evidence["champion_before"] or "none"
        say(f"rolled back: the champion is version {champion}, was {before}")
    _follow(context)
    if release.challenger is not None:
        stays = f"version {release.challenger.version} stays the challenger"
        say(f"{stays} and answers {release.challenger_weight:.0%} of the flights")


def _version_meant(ledger: Ledger, word: str | None, *, by: str, reason: str) -> str:
    """Return the version that a person means: the one named, else the challenger.

    After a command that was killed half-way there may be no challenger any more: the same command
    means the same version.
    """
    last = state_at(ledger.entries).released_by
    judged = last is not None and last.kind in {"promoted", "rejected"}
    if last is None or not judged or (last.by, last.reason) != (by, reason):
        return version_named(word or "challenger", ledger)
    return version_named(word or last.version, ledger)


def _interventions(context: RunContext, by: str) -> Interventions:
    model = context.settings.serving.model_name
    return Interventions(store=context.artifacts, model=model, by=by)


def _promote(context: RunContext, package: ReleasedVersion, *, by: str, reason: str) -> None:
    for note in promote(context, package, by=by, reason=reason).notes:
        context.console.say(note)


def _follow(context: RunContext) -> None:
    """Update document and aliases from the ledger; a registry that cannot, follows later."""
    if follow_with_document(context.artifacts):
        context.console.say("the release document is replaced: servers follow within about 1 s")
    try:
        require_own_registry(context)
        moved = follow_with_aliases(context.artifacts, context.registry)
    except RegistryUnusableError as error:
        context.console.say(f"the aliases will follow with the next command or run: {error}")
    except RegistryError as error:
        context.console.say(f"the aliases stay as they are: {error}")
    else:
        if moved:
            context.console.say(f"updated in the registry: {', '.join(moved)}")
