"""The ledger of decisions: show it, ask what was in production at a time, verify it, export it."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from features.errors import OntimeError
from operations.ledger import read_ledger
from operations.story import standing_at
from operations.verification import verify
from pipelines.command import parser_of
from pipelines.ledger_text import checks_text, ledger_text, standing_text
from pipelines.people import decide
from serving.clock import iso_ms
from serving.stores.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.context import RunContext


class LedgerNotTrustedError(OntimeError):
    """Something that was looked at is not as it should be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked with the ledger, and return the exit code: 1 if it cannot be trusted."""
    parser = parser_of("python -m pipelines.ledger", __doc__ or "", (), force="")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="every decision, oldest first")
    show.add_argument("--last", type=int, metavar="N", help="only the newest N")
    at = commands.add_parser("at", help="what was in production at a time, and why")
    at.add_argument("time", type=_instant, help="such as 2026-03-01T10:00Z")
    verified = commands.add_parser("verify", help="whether it, and all that follows it, is whole")
    verified.add_argument("--head", metavar="SHA256", help="its end as noted before, elsewhere")
    export = commands.add_parser("export", help="all entries with their checksums, as JSON")
    export.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    return decide(parser, _work, argv)


def _work(context: RunContext, arguments: argparse.Namespace) -> None:
    {"show": _show, "at": _at, "verify": _verify, "export": _export}[arguments.command](
        context, arguments
    )


def _show(context: RunContext, arguments: argparse.Namespace) -> None:
    for line in ledger_text(read_ledger(context.artifacts), last=arguments.last):
        context.console.say(line)


def _at(context: RunContext, arguments: argparse.Namespace) -> None:
    standing = standing_at(read_ledger(context.artifacts), arguments.time)
    for line in standing_text(standing, context.settings.serving.model_name):
        context.console.say(line)


def _verify(context: RunContext, arguments: argparse.Namespace) -> None:
    model = context.settings.serving.model_name
    checks = verify(context.artifacts, context.registry, model, head=arguments.head)
    for line in checks_text(checks):
        context.console.say(line)
    failed = [check.name for check in checks if not check.holds]
    if failed:
        raise LedgerNotTrustedError(f"not as it should be: {', '.join(failed)}; see above.")


def _export(context: RunContext, arguments: argparse.Namespace) -> None:
    ledger = read_ledger(context.artifacts)
    entries = [
        {"sha256": checksum, **msgspec.to_builtins(entry)}
        for entry, checksum in zip(ledger.entries, ledger.checksums, strict=True)
    ]
    body = msgspec.json.format(msgspec.json.encode(entries), indent=2) + b"\n"
    if arguments.output is None:
        context.console.say(body.decode().rstrip())
    else:
        write_whole(arguments.output.resolve(), body)
        context.console.say(f"{len(entries)} entries in {arguments.output}")


def _instant(text: str) -> str:
    """Return a time as the entries have it: UTC, with milliseconds."""
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no offset: add Z for UTC")
    return iso_ms(round(instant.timestamp() * 1000))


if __name__ == "__main__":
    sys.exit(main())
