"""Put the champion before this one, or a version named, back: at once, with no redeploy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.rollback_policy import decide_rollback, done_already
from operations.release.version_names import version_named
from pipelines.release.people import (
    decide,
    decision_parser,
    follow,
    interventions,
    require_registered,
)
from serving.models.model_package import read_model_package
from training.registry.registry_errors import RegistryUnusableError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext


def main(argv: Sequence[str] | None = None) -> int:
    """Roll back as a command and return the exit code."""
    parser = decision_parser(
        "rollback", __doc__ or "", force="take a published version that never was champion"
    )
    parser.add_argument("--to-version", metavar="N", help="default: the champion before this one")
    return decide(parser, roll_back, argv)


def roll_back(context: RunContext, arguments: argparse.Namespace) -> None:
    """Make an earlier champion the champion again.

    Raises:
        RollbackRefusedError: There is no such version to go back to.
        ModelPackageError: Its package is damaged.
        RegistryError: The registry does not have it.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    ledger, word = read_ledger(context.artifacts), arguments.to_version
    to_version = None if word is None else version_named(word, ledger)
    by, reason, force = arguments.by, arguments.reason, bool(arguments.force)
    if not done_already(state_at(ledger.entries), to_version, by=by, reason=reason):
        target = decide_rollback(ledger, to_version, force=force)
        _require_servable(context, target.version, target.manifest_sha256)
    made = interventions(context, by).roll_back(to_version, reason=reason, force=force)
    release = state_at(read_ledger(context.artifacts).entries).release
    champion = release.champion.version if release.champion else "none"
    if made is None:
        context.console.say(f"done already, by {by} for this reason: the champion is {champion}")
    else:
        before = made.evidence["champion_before"] or "none"
        context.console.say(f"rolled back: the champion is version {champion}, was {before}")
    follow(context)
    if release.challenger is not None:
        waits = f"version {release.challenger.version} stays on trial"
        context.console.say(f"{waits} and answers {release.challenger_weight:.0%} of the flights")


def _require_servable(context: RunContext, version: str, manifest_sha256: str) -> None:
    """Refuse what servers would refuse, before it is released."""
    name = context.settings.serving.model_name
    read_model_package(
        context.artifacts, model_name=name, version=version, manifest_sha256=manifest_sha256
    )
    try:
        require_registered(context, version)
    except RegistryUnusableError as error:  # it had it when the version was released
        context.console.say(f"going on without the registry: {error}")


if __name__ == "__main__":
    sys.exit(main())
