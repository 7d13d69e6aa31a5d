"""The ledger for a person: list it, what was in production at a time, verify it, export it."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ontime_base.atomic_files import write_atomically
from ontime_base.errors import OntimeError
from operations.ledger.ledger import read_ledger
from operations.release.timeline import production_at
from operations.release.verification import verify
from pipelines.release.people import decide
from pipelines.runtime.command import parser_of
from serving.schema.clock import iso_ms

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from operations.ledger.entries import LedgerEntry
    from operations.ledger.ledger import Ledger
    from operations.release.timeline import ProductionState, VersionEvidence
    from operations.release.verification import Check
    from pipelines.runtime.context import RunContext

_WIDTH: Final = 12


class LedgerNotTrustedError(OntimeError):
    """A check of the ledger, or of what follows it, failed."""


def show_ledger(context: RunContext, *, last: int | None = None) -> None:
    """Print every decision, oldest first.

    Args:
        context: Artifact store and console.
        last: Only the newest so many.

    Raises:
        LedgerError: The ledger is broken.
    """
    for line in ledger_text(read_ledger(context.artifacts), last=last):
        context.console.say(line)


def show_production(context: RunContext, at: str) -> None:
    """Print what was in production at a time, and why.

    Args:
        context: Artifact store, settings and console.
        at: The time, from `ledger_instant`.

    Raises:
        LedgerError: The ledger is broken.
    """
    state = production_at(read_ledger(context.artifacts), at)
    for line in production_text(state, context.settings.serving.model_name):
        context.console.say(line)


def verify_ledger(context: RunContext, *, head: str | None = None) -> None:
    """Print whether ledger, release document, packages and registry agree.

    Args:
        context: Artifact store, registry, settings and console.
        head: The checksum of the newest entry as noted elsewhere before; None: not noted.

    Raises:
        LedgerNotTrustedError: A check failed.
    """
    model = context.settings.serving.model_name
    checks = verify(context.artifacts, context.registry, model, head=head)
    for line in checks_text(checks):
        context.console.say(line)
    failed = [check.name for check in checks if not check.holds]
    if failed:
        raise LedgerNotTrustedError(f"not as it should be: {', '.join(failed)}; see above.")


def export_ledger(context: RunContext, *, output: Path | None = None) -> None:
    """Write all entries with their checksums as JSON.

    Args:
        context: Artifact store and console.
        output: The file; None: standard output.

    Raises:
        LedgerError: The ledger is broken.
    """
    ledger = read_ledger(context.artifacts)
    entries = [
        {"sha256": checksum, **msgspec.to_builtins(entry)}
        for entry, checksum in zip(ledger.entries, ledger.checksums, strict=True)
    ]
    body = msgspec.json.format(msgspec.json.encode(entries), indent=2) + b"\n"
    if output is None:
        context.console.say(body.decode().rstrip())
    else:
        write_atomically(output.resolve(), body)
        context.console.say(f"{len(entries)} entries in {output}")


def ledger_instant(text: str) -> str:
    """Return a time as the entries have it: UTC, with milliseconds.

    Args:
        text: ISO 8601 with an offset, such as `2026-03-01T10:00Z`.

    Raises:
        ValueError: It is no time, or has no offset.
    """
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset: add Z for UTC")
    return iso_ms(round(instant.timestamp() * 1000))


def ledger_text(ledger: Ledger, *, last: int | None = None) -> list[str]:
    """Return a line for every decision, oldest first, below a line of titles."""
    if not ledger.entries:
        return ["The ledger is empty: nothing was decided yet."]
    entries = ledger.entries[-last:] if last else ledger.entries
    by_width = max(2, *(len(entry.by) for entry in entries))
    titles = (
        f"{'entry':>5}  {'when (UTC)':<19}  {'what':<11}  {'version':>7}  {'by':<{by_width}}  why"
    )
    return [titles, *(_line(entry, by_width) for entry in entries)]


def production_text(state: ProductionState, model: str) -> list[str]:
    """Return what was in production at a time, and why."""
    champion, challenger = state.champion, state.challenger
    lines = [f"At {_when(state.at)} UTC"]
    if champion is None:
        lines.append(f"no version of {model} was the champion: none answered.")
    else:
        lines.append(f"version {champion.released.version} of {model} was the champion.")
        lines += _evidence_lines(champion)
    if challenger is not None:
        share = f"answered {state.challenger_weight:.0%} of the flights"
        lines += ["", f"Version {challenger.released.version} was the challenger and {share}."]
        lines += _evidence_lines(challenger)
        if state.last is not None and state.last.kind == "rolled_out":
            lines.append(_pair("weight set", _decided(state.last)))
    return lines


def checks_text(checks: Sequence[Check]) -> list[str]:
    """Return a line for each check."""
    width = max(len(check.name) for check in checks)
    return [
        f"{'ok' if check.holds else 'WRONG':<6}{check.name:<{width}}  {check.found}"
        for check in checks
    ]


def _line(entry: LedgerEntry, by_width: int) -> str:
    what = entry.kind.replace("_", " ")
    when = _when(entry.at)[:19]
    return (
        f"{entry.sequence:>5}  {when}  {what:<11}  {entry.version:>7}  {entry.by:<{by_width}}  "
        f"{_share(entry)}{entry.reason}"
    )


def _share(entry: LedgerEntry) -> str:
    if entry.kind != "rolled_out":
        return ""
    return f"{entry.evidence['weight_before']:.0%} -> {entry.evidence['weight']:.0%}: "


def _evidence_lines(version: VersionEvidence) -> list[str]:
    lines = [_pair("since", _decided(version.decided))]
    if version.approval is not None:
        lines.append(_pair("approval", _decided(version.approval)))
    if version.gated is not None:
        lines.append(_pair("gates", f"{version.gated.reason} (entry {version.gated.sequence})"))
        measured = _measured(version.figures)
        if measured:
            lines.append(_pair("measured", measured))
    if version.run_id:
        lines.append(_pair("run", version.run_id))
    if version.gold_hash:
        lines.append(_pair("features", version.gold_hash))
    lines.append(_pair("manifest", version.released.manifest_sha256))
    return lines


def _measured(figures: Mapping[str, Any]) -> str:
    """Return the headline figures; empty if the gates recorded none."""
    if not {"auc", "auc_naive"} <= figures.keys():
        return ""
    interval = ""
    if {"auc_low", "auc_high"} <= figures.keys():
        interval = f" ({figures['auc_low']:.3f} to {figures['auc_high']:.3f})"
    return f"AUC {figures['auc']:.3f}{interval}, naive {figures['auc_naive']:.3f}"


def _decided(entry: LedgerEntry) -> str:
    what = entry.kind.replace("_", " ")
    return f"{_when(entry.at)}, {what} by {entry.by}: {entry.reason} (entry {entry.sequence})"


def _pair(name: str, value: str) -> str:
    return f"  {name:<{_WIDTH}}{value}"


def _when(at: str) -> str:
    return at.removesuffix("Z").replace("T", " ")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked with the ledger, and return the exit code: 1 if it cannot be trusted."""
    parser = parser_of("python -m pipelines.release.ledger_commands", __doc__ or "", (), force="")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="every decision, oldest first")
    show.add_argument("--last", type=int, metavar="N", help="only the newest N")
    at = commands.add_parser("at", help="what was in production at a time, and why")
    at.add_argument("time", type=ledger_instant, help="such as 2026-03-01T10:00Z")
    verified = commands.add_parser("verify", help="whether it, and all that follows it, is whole")
    verified.add_argument("--head", metavar="SHA256", help="its end as noted before, elsewhere")
    export = commands.add_parser("export", help="all entries with their checksums, as JSON")
    export.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")

    def work(context: RunContext, given: argparse.Namespace) -> None:
        if given.command == "show":
            show_ledger(context, last=given.last)
        elif given.command == "at":
            show_production(context, given.time)
        elif given.command == "verify":
            verify_ledger(context, head=given.head)
        else:
            export_ledger(context, output=given.output)

    return decide(parser, work, argv)


if __name__ == "__main__":
    sys.exit(main())
