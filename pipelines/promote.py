"""Stage promote: the challenger to champion, if the rollout policy lets it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.release.decision_commands import (
    approve_version,
    promote_version,
    reject_version,
)
from pipelines.release.promotion import promote
from pipelines.runtime.command import parser_of, run_command
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named
from serving.models.release_document import ReleasedVersion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext, StageOutcome


def run(context: RunContext, *, by: str = "pipeline", reason: str = "gates passed") -> StageOutcome:
    """Make the registered version the champion, or say why it has to wait.

    Args:
        context: What every stage is given.
        by: Who decides.
        reason: Why, for the ledger.

    Raises:
        PromotionRefusedError: Its gates or a person refused it; the champion keeps answering.
        RegistryError: The registry does not have the version.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    version = str(context.outputs("register")["version"])
    manifest = str(context.outputs("publish")["manifest_sha256"])
    return promote(context, ReleasedVersion(version, manifest), by=by, reason=reason)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage, or take a person's verdict, and return the exit code."""
    stage = stage_named("promote")
    parser = parser_of("python -m pipelines.promote", f"{stage.title}.", stage.parameters)
    _add_verdict(parser)
    given = parser.parse_args(argv)
    by_hand = given.approve or given.reject or given.version is not None
    anonymous = any(getattr(given, name) == parser.get_default(name) for name in ("by", "reason"))
    if by_hand and anonymous:
        parser.error("a person's decision needs --by NAME and --reason WHY")

    def work(context: RunContext, arguments: argparse.Namespace) -> None:
        if by_hand:
            _judge(context, arguments)
        else:
            named = {"by": arguments.by, "reason": arguments.reason}
            run_stage(stage, context, force=arguments.force, arguments=named)

    return run_command(parser, stage.parameters, work, argv, alone=not by_hand)


def _add_verdict(parser: argparse.ArgumentParser) -> None:
    """Add what a person may decide about the version that is to be promoted."""
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
        "--reject", action="store_true", help="reject it instead; needs --by and --reason"
    )


def _judge(context: RunContext, given: argparse.Namespace) -> None:
    command = promote_version
    if given.reject:
        command = reject_version
    elif given.approve:
        command = approve_version
    command(context, by=given.by, reason=given.reason, version=given.version)


if __name__ == "__main__":
    sys.exit(main())
