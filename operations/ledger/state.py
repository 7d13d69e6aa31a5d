"""The state of the ledger after an entry: a pure fold over the entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from operations.ledger.entries import LedgerEntry, Release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.models.release_document import ReleasedVersion


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The state after an entry.

    Attributes:
        release: Which versions answered.
        revision: How many entries have changed that.
        released_by: The last of them; None before the first.
        candidate: The version whose gates passed last and that is not yet champion: it has the
            alias `challenger`.
        champions: The champion, and before it those that a rollback can go back to, oldest first.
        withdrawn: Versions that a person withdrew, each with the entry that did: the pipeline does
            not release them again.
    """

    release: Release = field(default_factory=Release)
    revision: int = 0
    released_by: LedgerEntry | None = None
    candidate: str | None = None
    champions: tuple[ReleasedVersion, ...] = ()
    withdrawn: Mapping[str, LedgerEntry] = field(default_factory=lambda: MappingProxyType({}))


def state_at(entries: Sequence[LedgerEntry], at: str | None = None) -> LedgerState:
    """Return what held at an instant: `what was in production then, and why?`.

    Args:
        entries: The ledger, oldest first.
        at: UTC as in the entries (`2026-03-01T10:00:00.000Z`); None: now.
    """
    state = LedgerState()
    for entry in entries:
        if at is not None and entry.at > at:
            break
        state = _after(state, entry)
    return state


def _after(state: LedgerState, entry: LedgerEntry) -> LedgerState:
    release = entry.release or state.release
    withdrawn = _withdrawn(state, entry)
    candidate = state.candidate
    if entry.kind == "gated":
        passed = bool(entry.evidence.get("passed"))
        candidate = entry.version if passed else _unless(candidate, entry.version)
    elif entry.kind == "approved" and entry.version in state.withdrawn:
        candidate = entry.version
    if release.champion is not None:
        candidate = _unless(candidate, release.champion.version)
    if candidate in withdrawn:
        candidate = None
    released = entry.release is not None
    return LedgerState(
        release=release,
        revision=state.revision + released,
        released_by=entry if released else state.released_by,
        candidate=candidate,
        champions=_champions(state.champions, entry),
        withdrawn=MappingProxyType(withdrawn),
    )


def _withdrawn(state: LedgerState, entry: LedgerEntry) -> dict[str, LedgerEntry]:
    withdrawn = dict(state.withdrawn)
    if entry.kind in {"approved", "promoted", "rolled_back"}:
        withdrawn.pop(entry.version, None)
    if entry.kind == "rejected":
        withdrawn[entry.version] = entry
    if entry.kind == "rolled_back" and state.release.champion is not None:
        withdrawn[state.release.champion.version] = entry
    return withdrawn


def _champions(
    before: tuple[ReleasedVersion, ...], entry: LedgerEntry
) -> tuple[ReleasedVersion, ...]:
    """Return the champions up to the one after an entry; a rollback drops those it skips."""
    champion = entry.release.champion if entry.release else None
    if champion is None or champion in before[-1:]:
        return before
    if entry.kind == "rolled_back" and champion in before:
        return before[: before.index(champion) + 1]
    return (*before, champion)


def _unless(version: str | None, other: str) -> str | None:
    return None if version == other else version
