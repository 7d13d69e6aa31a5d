"""The ledger as a person reads it: lines of plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.entries import LedgerEntry
    from operations.ledger import Ledger
    from operations.story import Standing, VersionStory
    from operations.verification import Check

_WIDTH: Final = 12


def ledger_text(ledger: Ledger, *, last: int | None = None) -> list[str]:
    """Return a line for every decision, oldest first, below a line of titles."""
    if not ledger.entries:
        return ["The ledger is empty: nothing was decided yet."]
    entries = ledger.entries[-last:] if last else ledger.entries
    people = max(2, *(len(entry.by) for entry in entries))
    titles = (
        f"{'entry':>5}  {'when (UTC)':<19}  {'what':<11}  {'version':>7}  {'by':<{people}}  why"
    )
    return [titles, *(_line(entry, people) for entry in entries)]


def standing_text(standing: Standing, model: str) -> list[str]:
    """Return what was in production at a time, and why."""
    champion, challenger = standing.champion, standing.challenger
    lines = [f"At {_when(standing.at)} UTC"]
    if champion is None:
        lines.append(f"no version of {model} was the champion: none answered.")
    else:
        lines.append(f"version {champion.released.version} of {model} was the champion.")
        lines += _told(champion)
    if challenger is not None:
        share = f"answered {standing.challenger_weight:.0%} of the flights"
        lines += ["", f"Version {challenger.released.version} was the challenger and {share}."]
        lines += _told(challenger)
        if standing.last is not None and standing.last.kind == "rolled_out":
            lines.append(_pair("weight set", _decided(standing.last)))
    return lines


def checks_text(checks: Sequence[Check]) -> list[str]:
    """Return a line for everything that was looked at."""
    width = max(len(check.name) for check in checks)
    return [
        f"{'ok' if check.holds else 'WRONG':<6}{check.name:<{width}}  {check.found}"
        for check in checks
    ]


def _line(entry: LedgerEntry, people: int) -> str:
    what = entry.kind.replace("_", " ")
    when = _when(entry.at)[:19]
    return (
        f"{entry.sequence:>5}  {when}  {what:<11}  {entry.version:>7}  {entry.by:<{people}}  "
        f"{_share(entry)}{entry.reason}"
    )


def _share(entry: LedgerEntry) -> str:
    if entry.kind != "rolled_out":
        return ""
    return f"{entry.evidence['weight_before']:.0%} -> {entry.evidence['weight']:.0%}: "


def _told(story: VersionStory) -> list[str]:
    lines = [_pair("since", _decided(story.decided))]
    if story.approval is not None:
        lines.append(_pair("approval", _decided(story.approval)))
    if story.gated is not None:
        lines.append(_pair("gates", f"{story.gated.reason} (entry {story.gated.sequence})"))
        measured = _measured(story.figures)
        if measured:
            lines.append(_pair("measured", measured))
    if story.run_id:
        lines.append(_pair("run", story.run_id))
    if story.gold_hash:
        lines.append(_pair("features", story.gold_hash))
    lines.append(_pair("manifest", story.released.manifest_sha256))
    return lines


def _measured(figures: Mapping[str, Any]) -> str:
    """Return the figures that people ask for first; empty if the gates recorded none."""
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
