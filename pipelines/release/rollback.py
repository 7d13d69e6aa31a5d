"""Make the previous champion, or a version named, the champion again, without a redeploy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.release.decision_commands import roll_back
from pipelines.release.people import decide, decision_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext


def main(argv: Sequence[str] | None = None) -> int:
    """Roll back as a command and return the exit code."""
    parser = decision_parser(
        "rollback", __doc__ or "", force="accept a published version that never was champion"
    )
    parser.add_argument("--to-version", metavar="N", help="default: the champion before this one")

    def work(context: RunContext, given: argparse.Namespace) -> None:
        version, force = given.to_version, bool(given.force)
        roll_back(context, by=given.by, reason=given.reason, to_version=version, force=force)

    return decide(parser, work, argv)


if __name__ == "__main__":
    sys.exit(main())
