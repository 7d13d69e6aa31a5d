"""Reconciliation of the release document and the registry's aliases with the ledger.

Both are functions of the ledger: after a crash or a manual change, following it again repairs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from operations.ledger.ledger import LedgerError, read_ledger
from operations.ledger.state import state_at
from serving.models.release_document import (
    RELEASE_KEY,
    ReleaseDocument,
    ReleaseError,
    read_release,
    write_release,
)

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger
    from operations.ledger.state import LedgerState
    from serving.stores.artifacts.protocol import ArtifactStore

ATTEMPTS: Final = 5


class Aliases(Protocol):
    """The aliases of one registered model."""

    def version_of(self, alias: str) -> str | None:
        """Return the version with an alias; None if no version has it."""

    def point(self, alias: str, version: str | None) -> None:
        """Give an alias to a version; None takes it away."""


def document_of(ledger: Ledger) -> ReleaseDocument | None:
    """Return the release document of a ledger; None before anything was released."""
    state = state_at(ledger.entries)
    entry = state.released_by
    if entry is None:
        return None
    return ReleaseDocument(
        revision=state.revision,
        champion=state.release.champion,
        challenger=state.release.challenger,
        challenger_weight=state.release.challenger_weight,
        ledger_head=ledger.checksums[entry.sequence - 1],
        updated_at=entry.at,
    )


def aliases_of(state: LedgerState) -> dict[str, str | None]:
    """Return the version that each alias must have after an entry."""
    champion = state.release.champion
    return {"champion": champion.version if champion else None, "challenger": state.candidate}


def follow_ledger(store: ArtifactStore, aliases: Aliases) -> tuple[str, ...]:
    """Update the release document, then the aliases, from the ledger; return what was changed.

    Raises:
        LedgerError: The ledger is broken, or older than the release document that follows it.
        ReleaseError: Others kept changing the document meanwhile.
        StoreError: The store cannot be read or written.
    """
    changed = ["release document"] if follow_with_document(store) else []
    return (*changed, *follow_with_aliases(store, aliases))


def follow_with_aliases(store: ArtifactStore, aliases: Aliases) -> tuple[str, ...]:
    """Update the aliases from the ledger; return what was changed.

    A registry has no conditional write: the ledger is read again after an alias was moved, so that
    the last of several concurrent writers has seen the newest entry.

    Raises:
        LedgerError: The ledger is broken, or others kept appending to it.
        StoreError: The store cannot be read.
    """
    changed: dict[str, None] = {}
    for _ in range(ATTEMPTS):
        ledger = read_ledger(store)
        wanted = aliases_of(state_at(ledger.entries))
        moved = [alias for alias, version in wanted.items() if aliases.version_of(alias) != version]
        for alias in moved:
            aliases.point(alias, wanted[alias])
        changed |= dict.fromkeys(f"alias {alias}" for alias in moved)
        if not moved or read_ledger(store).head == ledger.head:
            return tuple(changed)
    raise LedgerError(
        "Others kept deciding while the registry's aliases were being updated from the ledger: run "
        "any stage again to update them."
    )


def follow_with_document(store: ArtifactStore) -> bool:
    """Update the release document from the ledger; return whether it differed.

    Raises:
        LedgerError: The ledger is broken, or older than the release document that follows it.
        ReleaseError: Others kept changing the document meanwhile.
        StoreError: The store cannot be read or written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        stored, etag = _stored(store)
        ledger = read_ledger(store)  # after the document, whose entry it must have
        wanted = document_of(ledger)
        require_known_head(stored, ledger)
        if wanted is None or wanted == stored:
            return False
        try:
            write_release(store, wanted, after=etag)
        except ReleaseError:
            if attempt == ATTEMPTS:
                raise
        else:
            return True
    return False


def _stored(store: ArtifactStore) -> tuple[ReleaseDocument | None, str | None]:
    """Return the stored document and its etag; an unreadable one is None, to be overwritten."""
    try:
        release = read_release(store)
    except ReleaseError:
        return None, store.get(RELEASE_KEY).etag
    return (release.document, release.etag) if release else (None, None)


def require_known_head(document: ReleaseDocument | None, ledger: Ledger) -> None:
    """Refuse a ledger that lost its newest entries: its chain is intact, but the document shows it.

    Raises:
        LedgerError: It does not have the entry that the document follows.
    """
    if document is not None and document.ledger_head not in ledger.checksums:
        raise LedgerError(
            f"The release document (revision {document.revision}) follows a ledger entry that the "
            f"ledger no longer has (it ends at entry {len(ledger.entries)}): restore the objects "
            "under ledger/ from a backup of the artifact store."
        )
