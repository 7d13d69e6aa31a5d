"""What the commands of a person share: who and why, and what follows the ledger.

They take no lock on the home: a rollback must not wait for a training run. Of two decisions at the
same time the ledger takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.release.decisions import Interventions, known_run
from operations.release.reconciliation import follow_with_aliases, follow_with_document
from pipelines.runtime.command import parser_of, run_command
from training.registry.registry_errors import RegistryUnusableError
from training.settings import impatient_mlflow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pipelines.runtime.context import RunContext


def decision_parser(name: str, description: str, *, force: str = "") -> argparse.ArgumentParser:
    """Return the parser of a person's decision, which needs a name and a reason.

    Args:
        name: Its module in `pipelines`.
        description: What it does.
        force: What `--force` does; empty: there is no such switch.
    """
    parser = parser_of(f"python -m pipelines.{name}", description, (), force=force)
    parser.add_argument("--by", metavar="NAME", required=True, help="who decides, for the ledger")
    parser.add_argument("--reason", metavar="WHY", required=True, help="why, for the ledger")
    return parser


def decide(
    parser: argparse.ArgumentParser,
    work: Callable[[RunContext, argparse.Namespace], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Do a person's work beside whatever runs in the home, and return the exit code."""
    impatient_mlflow()
    return run_command(parser, (), work, argv, alone=False)


def interventions(context: RunContext, by: str) -> Interventions:
    """Return what records the decisions of a person."""
    model = context.settings.serving.model_name
    return Interventions(store=context.artifacts, model=model, by=by)


def require_registered(context: RunContext, version: str) -> None:
    """Refuse a version that the registry does not have, or knows as another run than the ledger.

    Raises:
        RegistryError: It does not have it, or cannot be reached.
        LedgerError: It knows another run by it.
    """
    model = context.settings.serving.model_name
    found = context.registry.get(version)
    known_run(read_ledger(context.artifacts), model, version, found.run_id)


def follow(context: RunContext) -> None:
    """Make document and aliases follow the ledger; a registry that is down follows later.

    Raises:
        LedgerError: The ledger is broken, or older than the release document that follows it.
        ReleaseError: Others kept changing the document meanwhile.
        StoreError: The store cannot be read or written.
    """
    if follow_with_document(context.artifacts):
        context.console.say("the release document is swapped: servers follow within a second or so")
    try:
        moved = follow_with_aliases(context.artifacts, context.registry)
    except RegistryUnusableError as error:
        context.console.say(f"the aliases will follow with the next command or run: {error}")
    else:
        if moved:
            context.console.say(f"the registry follows: {', '.join(moved)}")
