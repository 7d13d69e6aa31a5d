"""Arguments and run of the command modules of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.runtime.command import parser_of, run_command
from training.settings import impatient_mlflow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pipelines.runtime.context import RunContext


def decision_parser(name: str, description: str, *, force: str = "") -> argparse.ArgumentParser:
    """Return the parser of a person's decision, which needs a name and a reason."""
    parser = parser_of(f"python -m pipelines.release.{name}", description, (), force=force)
    parser.add_argument("--by", metavar="NAME", required=True, help="who decides, for the ledger")
    parser.add_argument("--reason", metavar="WHY", required=True, help="why, for the ledger")
    return parser


def decide(
    parser: argparse.ArgumentParser,
    work: Callable[[RunContext, argparse.Namespace], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Run a command that takes no lock on the home, and return the exit code."""
    impatient_mlflow()
    return run_command(parser, (), work, argv, alone=False)
