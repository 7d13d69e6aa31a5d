"""Let the challenger answer a share of the flights: 0, 0.1, 0.5, 1; at 1 it can be promoted."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pipelines.release.people import decide, decision_parser, follow, interventions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.runtime.context import RunContext


def main(argv: Sequence[str] | None = None) -> int:
    """Set the challenger's weight as a command and return the exit code."""
    parser = decision_parser("rollout", __doc__ or "")
    parser.add_argument(
        "--weight", type=_share, required=True, help="share of the flights, from 0 to 1"
    )
    return decide(parser, roll_out, argv)


def roll_out(context: RunContext, arguments: argparse.Namespace) -> None:
    """Set the challenger's weight.

    Raises:
        InterventionRefusedError: There is no challenger, or its gates refuse it by now.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    people, weight = interventions(context, arguments.by), arguments.weight
    made = people.roll_out(weight, reason=arguments.reason)
    if made is None:
        context.console.say(f"nothing to do: the challenger answers {weight:.0%} of the flights")
    else:
        before = made.evidence["weight_before"]
        shares = f"{weight:.0%} of the flights, was {before:.0%}"
        context.console.say(f"version {made.version} answers {shares}")
    follow(context)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
