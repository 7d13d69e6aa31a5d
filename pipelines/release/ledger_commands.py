"""Ledger commands: list the entries, show production at a time, verify the chain, export it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ontime_base.atomic_files import write_atomically
from ontime_base.errors import OntimeError
from ontime_base.typed_text import one_line
from operations.ledger.ledger import read_ledger
from operations.release.timeline import production_at
from operations.release.verification import verify
from serving.schema.clock import iso_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from operations.ledger.entries import LedgerEntry
    from operations.ledger.ledger import Ledger
    from operations.release.timeline import ProductionState, VersionEvidence
    from operations.release.verification import Check
    from pipelines.runtime.context import RunContext

_WIDTH: Final = 12


class LedgerNotTrustedError(OntimeError):
    """A check of the ledger, or of what follows it, failed."""


class InstantError(OntimeError):
    """A text is no instant."""


def show_ledger(context: RunContext, *, last: int | None = None, as_json: bool = False) -> None:
    """Print every decision, oldest first.

    Args:
        context: Artifact store and console.
        last: Only the newest so many.
        as_json: Print the entries with their checksums as JSON.

    Raises:
        LedgerError: The ledger is broken.
    """
    ledger = read_ledger(context.artifacts)
    if as_json:
        print(_json(_exported(ledger)[-last:] if last else _exported(ledger)))
        return
    for line in ledger_text(ledger, last=last):
        context.console.say(line)


def show_production(context: RunContext, at: str | None = None, *, as_json: bool = False) -> None:
    """Print what was in production at a time, and why.

    Args:
        context: Artifact store, settings and console.
        at: The time: ISO 8601 with an offset; None: now.
        as_json: Print it as JSON.

    Raises:
        InstantError: It is no time, or has no offset.
        LedgerError: The ledger is broken.
    """
    time = at or dt.datetime.now(dt.UTC).isoformat()
    state = production_at(read_ledger(context.artifacts), _ledger_instant(time))
    if as_json:
        print(_json(state))
        return
    for line in production_text(state, context.settings.serving.model_name):
        context.console.say(line)


def verify_ledger(context: RunContext, *, head: str | None = None, as_json: bool = False) -> None:
    """Print whether ledger, release document, packages and registry agree.

    Args:
        context: Artifact store, registry, settings and console.
        head: The checksum of the newest entry as noted elsewhere before; None: not noted.
        as_json: Print the checks as JSON.

    Raises:
        LedgerNotTrustedError: A check failed.
    """
    model = context.settings.serving.model_name
    checks = verify(context.artifacts, context.registry, model, head=head)
    if as_json:
        print(_json(checks))
    else:
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
    entries = _exported(read_ledger(context.artifacts))
    if output is None:
        print(_json(entries))
    else:
        write_atomically(output.resolve(), (_json(entries) + "\n").encode())
        context.console.say(f"{len(entries)} entries in {output}")


def ledger_text(ledger: Ledger, *, last: int | None = None) -> list[str]:
    """Return a line for every decision, oldest first, below a line of titles."""
    if not ledger.entries:
        return ["The ledger is empty: nothing was decided yet."]
    entries = ledger.entries[-last:] if last else ledger.entries
    by_width = max(2, *(len(one_line(entry.by)) for entry in entries))
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
        f"{'ok' if check.holds else 'WRONG':<6}{check.name:<{width}}  {one_line(check.found)}"
        for check in checks
    ]


def _line(entry: LedgerEntry, by_width: int) -> str:
    what = entry.kind.replace("_", " ")
    when = _when(entry.at)[:19]
    return (
        f"{entry.sequence:>5}  {when}  {what:<11}  {one_line(entry.version):>7}  "
        f"{one_line(entry.by):<{by_width}}  {_share(entry)}{one_line(entry.reason)}"
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
    return f"  {name:<{_WIDTH}}{one_line(value)}"


def _when(at: str) -> str:
    return at.removesuffix("Z").replace("T", " ")


def _exported(ledger: Ledger) -> list[dict[str, Any]]:
    return [
        {"sha256": checksum, **msgspec.to_builtins(entry)}
        for entry, checksum in zip(ledger.entries, ledger.checksums, strict=True)
    ]


def _json(data: object) -> str:
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def _ledger_instant(text: str) -> str:
    """Return a time as the entries have it: UTC, with milliseconds."""
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InstantError(f"'{text}' is no time: give one such as 2026-03-01T10:00Z.") from error
    if instant.tzinfo is None:
        raise InstantError(f"{text} has no offset: add Z for UTC.")
    return iso_ms(round(instant.timestamp() * 1000))
