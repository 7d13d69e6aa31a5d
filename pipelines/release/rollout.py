"""Let the challenger answer a share of the flights: 0, 0.1, 0.5, 1; at 1 it can be promoted."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pipelines.release.decision_commands import roll_out
from pipelines.release.people import decide, decision_parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext


def main(argv: Sequence[str] | None = None) -> int:
    """Set the challenger's weight as a command and return the exit code."""
    parser = decision_parser("rollout", __doc__ or "")
    parser.add_argument(
        "--weight", type=_share, required=True, help="share of the flights, from 0 to 1"
    )

    def work(context: RunContext, given: argparse.Namespace) -> None:
        roll_out(context, given.weight, by=given.by, reason=given.reason)

    return decide(parser, work, argv)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
