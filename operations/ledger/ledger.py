"""The ledger: every decision about model versions, one object each, hash-chained, never changed.

An entry is the commit of its decision: the release document and the registry's aliases are computed
from it. Only `read_ledger` and `append_entry` touch the artifact store.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ontime_base.errors import OntimeError
from operations.ledger.entries import LedgerEntry
from serving.stores.errors import ObjectExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.ledger.entries import Decision, Kind
    from serving.stores.artifacts.protocol import ArtifactStore

PREFIX: Final = "ledger/"
_ENTRY: Final = re.compile(rf"{PREFIX}\d{{8}}\.json")
BEFORE_THE_FIRST: Final = "0" * 64


class LedgerError(OntimeError):
    """The ledger was changed by something other than an append, or is not readable."""


class LedgerConflictError(OntimeError):
    """Somebody else appended first."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger as read, its chain verified.

    Attributes:
        entries: Oldest first.
        checksums: The SHA-256 of each entry's object.
    """

    entries: tuple[LedgerEntry, ...] = ()
    checksums: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The checksum that the next entry is chained to."""
        return self.checksums[-1] if self.checksums else BEFORE_THE_FIRST

    def about(self, version: str, kind: Kind) -> LedgerEntry | None:
        """Return the newest entry of a kind about a version; None if there is none."""
        entries = [e for e in self.entries if e.version == version and e.kind == kind]
        return entries[-1] if entries else None


def verified(bodies: Mapping[str, bytes]) -> Ledger:
    """Return the ledger made of these objects, by key; those that are no entries are ignored.

    Raises:
        LedgerError: An entry is missing, unreadable, or not what the one after it was chained to.
    """
    ledger = Ledger()
    for place, key in enumerate(sorted(_entries_among(bodies)), start=1):
        if key != key_of(place):
            raise _tampered(key_of(place), "is missing")
        try:
            entry = msgspec.json.decode(bodies[key], type=LedgerEntry)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _tampered(key, f"is not a ledger entry ({error})") from error
        if entry.sequence != place or entry.previous_sha256 != ledger.head:
            raise _tampered(key, "does not follow the entry before it")
        ledger = _extended(ledger, entry, bodies[key])
    return ledger


def key_of(sequence: int) -> str:
    """Return the key of an entry, such as `ledger/00000001.json`."""
    return f"{PREFIX}{sequence:08d}.json"


def is_entry_key(key: str) -> bool:
    """Return whether a key is that of an entry; anything may lie beside them."""
    return _ENTRY.fullmatch(key) is not None


def read_ledger(store: ArtifactStore) -> Ledger:
    """Return the ledger of a store, verified.

    Raises:
        LedgerError: It is not an unbroken chain.
        StoreError: The store cannot be read.
    """
    return verified({key: store.get(key).body for key in filter(is_entry_key, store.list(PREFIX))})


def append_entry(store: ArtifactStore, ledger: Ledger, decision: Decision, at: str) -> Ledger:
    """Append a decision that was taken on this ledger, and return the ledger with it.

    Args:
        store: Where the ledger is.
        ledger: The ledger as it was read to decide.
        decision: What was decided.
        at: Now, UTC, with milliseconds.

    Raises:
        LedgerConflictError: The ledger has grown since: read it again and decide again.
        StoreError: The store cannot be written.
    """
    sequence = len(ledger.entries) + 1
    entry = LedgerEntry(
        **msgspec.structs.asdict(decision),
        sequence=sequence,
        at=at,
        previous_sha256=ledger.head,
    )
    body = msgspec.json.format(msgspec.json.encode(entry), indent=2) + b"\n"
    try:
        store.create(key_of(sequence), body)
    except ObjectExistsError as error:
        raise LedgerConflictError(
            f"Another decision came first ({key_of(sequence)}) while '{decision.kind}' of version "
            f"{decision.version} was being recorded: run it again."
        ) from error
    return _extended(ledger, entry, body)


def _entries_among(bodies: Mapping[str, bytes]) -> list[str]:
    """Return the keys of entries: named as one, and in the chain or readable as one.

    What follows a gap and is no entry was put there by something else. A gap before an entry is a
    lost entry, which the chain shows.
    """
    keys = sorted(filter(is_entry_key, bodies))
    whole = next((at for at, key in enumerate(keys) if key != key_of(at + 1)), len(keys))
    return keys[:whole] + [key for key in keys[whole:] if _is_entry(bodies[key])]


def _is_entry(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=LedgerEntry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _extended(ledger: Ledger, entry: LedgerEntry, body: bytes) -> Ledger:
    checksum = hashlib.sha256(body).hexdigest()
    return Ledger((*ledger.entries, entry), (*ledger.checksums, checksum))


def _tampered(key: str, what: str) -> LedgerError:
    return LedgerError(
        f"The ledger cannot be trusted: {key} {what}. Entries are only ever appended; restore this "
        "object from a backup of the artifact store."
    )
