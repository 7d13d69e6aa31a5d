"""The ledger: every decision about model versions, one object each, hash-chained, never changed.

An entry is the commit of its decision: the release document and the registry's aliases follow it.
This module is pure but for `read_ledger` and `append_entry`, which need only the artifact store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from features.errors import OntimeError
from serving.release import ReleasedVersion
from serving.stores.errors import ObjectExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.stores.artifacts import ArtifactStore

PREFIX: Final = "ledger/"
BEFORE_THE_FIRST: Final = "0" * 64
Kind: TypeAlias = Literal["registered", "gated", "published", "promoted"]


class LedgerError(OntimeError):
    """The ledger was changed by something other than an append, or is not readable."""


class LedgerConflictError(OntimeError):
    """Somebody else appended first."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions answer after a decision.

    Attributes:
        champion: The version that answers; None before the first promotion.
        challenger: The version on trial; None when there is none.
        challenger_weight: Share of the flights that the challenger answers, 0 to 1.
    """

    champion: ReleasedVersion | None = None
    challenger: ReleasedVersion | None = None
    challenger_weight: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded.

    Attributes:
        kind: What was decided.
        by: Who decided: a person, or the stage of the pipeline.
        reason: Why, in a sentence.
        model: The registered model.
        version: The version it is about.
        evidence: Figures and names it was decided on.
        release: What answers after it; None if that does not change.
    """

    kind: Kind
    by: str
    reason: str
    model: str
    version: str
    evidence: dict[str, Any]
    release: Release | None = None


class LedgerEntry(Decision, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision in its place in the chain.

    Attributes:
        sequence: Its place, from 1.
        at: When it was appended, UTC, such as `2026-03-01T10:00:00.125Z`.
        previous_sha256: Checksum of the entry before it.
        schema: Version of this layout.
    """

    sequence: int
    at: str
    previous_sha256: str
    schema: Literal[1] = 1


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
        found = [e for e in self.entries if e.version == version and e.kind == kind]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What held after an entry.

    Attributes:
        release: Which versions answered.
        revision: How many entries have changed that.
        released_by: The last of them; None before the first.
        candidate: The version whose gates passed last and that is not yet champion: it has the
            alias `challenger`.
    """

    release: Release = field(default_factory=Release)
    revision: int = 0
    released_by: LedgerEntry | None = None
    candidate: str | None = None


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


def verified(bodies: Mapping[str, bytes]) -> Ledger:
    """Return the ledger made of these objects, by key.

    Raises:
        LedgerError: An entry is missing, unreadable, or not what the one after it was chained to.
    """
    ledger = Ledger()
    for place, key in enumerate(sorted(bodies), start=1):
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


def read_ledger(store: ArtifactStore) -> Ledger:
    """Return the ledger of a store, verified.

    Raises:
        LedgerError: It is not an unbroken chain.
        StoreError: The store cannot be read.
    """
    return verified({key: store.get(key).body for key in store.list(PREFIX)})


def append_entry(store: ArtifactStore, ledger: Ledger, decision: Decision, at: str) -> Ledger:
    """Append a decision that was taken on this ledger, and return the ledger with it.

    Args:
        store: Where the ledger is.
        ledger: The ledger as it was read to decide.
        decision: What was decided.
        at: Now, UTC, with milliseconds.

    Raises:
        LedgerConflictError: The ledger has grown since: read it again and decide anew.
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
            f"Another decision came first while '{decision.kind}' of version {decision.version} "
            f"was being recorded ({key_of(sequence)}): run the stage again, it decides anew."
        ) from error
    return _extended(ledger, entry, body)


def _extended(ledger: Ledger, entry: LedgerEntry, body: bytes) -> Ledger:
    checksum = hashlib.sha256(body).hexdigest()
    return Ledger((*ledger.entries, entry), (*ledger.checksums, checksum))


def _after(state: LedgerState, entry: LedgerEntry) -> LedgerState:
    release = entry.release or state.release
    champion = release.champion.version if release.champion else None
    candidate = state.candidate
    if entry.kind == "gated" and entry.evidence.get("passed"):
        candidate = entry.version
    elif entry.kind == "gated" and candidate == entry.version:
        candidate = None
    if candidate == champion:
        candidate = None
    if entry.release is None:
        return LedgerState(release, state.revision, state.released_by, candidate)
    return LedgerState(release, state.revision + 1, entry, candidate)


def _tampered(key: str, what: str) -> LedgerError:
    return LedgerError(
        f"The ledger cannot be trusted: {key} {what}. Entries are only ever appended; restore this "
        "object from a backup of the artifact store."
    )
