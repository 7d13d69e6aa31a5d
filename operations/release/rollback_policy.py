"""The rollback policy: a pure decision which version a rollback restores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from operations.ledger.state import state_at
from serving.models.release_document import ReleasedVersion

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger
    from operations.ledger.state import LedgerState


class RollbackRefusedError(OntimeError):
    """There is nothing to go back to; nothing was recorded."""


def decide_rollback(
    ledger: Ledger, to_version: str | None = None, *, force: bool = False
) -> ReleasedVersion:
    """Return the version to go back to.

    Args:
        ledger: All decisions so far.
        to_version: Which; None: the champion before this one.
        force: Whether a published version may be taken that never was champion.

    Raises:
        RollbackRefusedError: There is no such version, or it never was champion.
    """
    state = state_at(ledger.entries)
    if to_version is None:
        if len(state.champions) < 2:  # noqa: PLR2004 - this champion and one before it
            now = state.champions[-1].version if state.champions else "none"
            raise RollbackRefusedError(
                f"There is no champion to go back to: the champion is {now}, and no other was "
                "before it. Name a version with --version."
            )
        return state.champions[-2]
    if state.release.champion is not None and state.release.champion.version == to_version:
        raise RollbackRefusedError(
            f"Version {to_version} is the champion already: it answers, and nothing was changed."
        )
    found = _once_champion(ledger, to_version) or (
        _published(ledger, to_version) if force else None
    )
    if found is None:
        raise RollbackRefusedError(_not_to_be_had(ledger, to_version, force=force))
    return found


def done_already(state: LedgerState, to_version: str | None, *, by: str, reason: str) -> bool:
    """Return whether this very rollback was the last change of what is released.

    A rollback that was killed half-way and is run again must not roll back twice.
    """
    last = state.released_by
    if last is None or last.kind != "rolled_back" or (last.by, last.reason) != (by, reason):
        return False
    named = bool(last.evidence.get("named"))
    return named == (to_version is not None) and to_version in {None, last.version}


def _once_champion(ledger: Ledger, version: str) -> ReleasedVersion | None:
    """Return the package of a version that was champion; None if it never was."""
    for entry in reversed(ledger.entries):
        champion = entry.release.champion if entry.release else None
        if champion is not None and champion.version == version:
            return champion
    return None


def _published(ledger: Ledger, version: str) -> ReleasedVersion | None:
    entry = ledger.about(version, "published")
    return ReleasedVersion(version, str(entry.evidence["manifest_sha256"])) if entry else None


def _not_to_be_had(ledger: Ledger, version: str, *, force: bool) -> str:
    releases = [entry.release for entry in ledger.entries if entry.release]
    were = dict.fromkeys(each.champion.version for each in releases if each.champion)
    champions = f"champions were {', '.join(were)}" if were else "no version ever was"
    if force or _published(ledger, version) is None:
        return f"Version {version} was never published, so it cannot answer; {champions}."
    return (
        f"Version {version} was never champion ({champions}): promote it, or add --force if you "
        "know why it may answer."
    )
