from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from operations.ledger.entries import Decision, Kind, Release
from operations.ledger.ledger import (
    Ledger,
    LedgerConflictError,
    LedgerError,
    append_entry,
    key_of,
    read_ledger,
    verified,
)
from operations.ledger.state import LedgerState, state_at
from serving.models.release_document import ReleasedVersion
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

ONE = ReleasedVersion("1", "a" * 64)
TWO = ReleasedVersion("2", "b" * 64)


def decision(
    kind: Kind, version: str, *, passed: bool | None = None, release: Release | None = None
) -> Decision:
    evidence = {} if passed is None else {"passed": passed}
    return Decision(
        kind=kind,
        by="pipeline",
        reason="because",
        model="ontime",
        version=version,
        evidence=evidence,
        release=release,
    )


LIFE_OF_TWO_VERSIONS = (
    decision("registered", "1"),
    decision("gated", "1", passed=True),
    decision("published", "1", release=Release(None, ONE)),
    decision("promoted", "1", release=Release(ONE)),
    decision("registered", "2"),
    decision("gated", "2", passed=True),
    decision("published", "2", release=Release(ONE, TWO)),
    decision("promoted", "2", release=Release(TWO)),
)


def at(sequence: int) -> str:
    return f"2026-03-01T10:00:{sequence:02d}.000Z"


def filled(store: FolderArtifactStore) -> Ledger:
    ledger = Ledger()
    for sequence, made in enumerate(LIFE_OF_TWO_VERSIONS, start=1):
        ledger = append_entry(store, ledger, made, at(sequence))
    return ledger


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifactStore:
    return FolderArtifactStore(tmp_path / "store")


def test_a_ledger_is_read_as_it_was_appended(store: FolderArtifactStore) -> None:
    # Given a ledger of eight decisions
    ledger = filled(store)
    # When it is read again
    read = read_ledger(store)
    # Then it is the same, each entry chained to the one before it
    assert read == ledger
    assert [entry.sequence for entry in read.entries] == list(range(1, 9))
    assert [entry.previous_sha256 for entry in read.entries[1:]] == list(read.checksums[:-1])


def test_a_store_without_entries_has_an_empty_ledger(store: FolderArtifactStore) -> None:
    assert read_ledger(store) == Ledger()
    assert state_at(()) == LedgerState()


def test_of_two_decisions_on_the_same_ledger_one_is_refused(store: FolderArtifactStore) -> None:
    # Given two readers of the same ledger
    ledger = filled(store)
    append_entry(store, ledger, decision("registered", "3"), at(9))
    # When the second one appends
    # Then it is refused, and the entry of the first stands
    with pytest.raises(LedgerConflictError, match="came first"):
        append_entry(store, ledger, decision("registered", "4"), at(9))
    assert read_ledger(store).entries[-1].version == "3"


@pytest.mark.parametrize(
    ("seconds", "champion", "challenger", "candidate", "revision"),
    [
        (0, None, None, None, 0),
        (1, None, None, None, 0),
        (2, None, None, "1", 0),
        (3, None, ONE, "1", 1),
        (4, ONE, None, None, 2),
        (5, ONE, None, None, 2),
        (6, ONE, None, "2", 2),
        (7, ONE, TWO, "2", 3),
        (8, TWO, None, None, 4),
    ],
)
def test_the_state_at_an_instant_is_that_after_the_last_entry_before_it(
    store: FolderArtifactStore,
    *,
    seconds: int,
    champion: ReleasedVersion | None,
    challenger: ReleasedVersion | None,
    candidate: str | None,
    revision: int,
) -> None:
    state = state_at(filled(store).entries, at(seconds))
    assert state.release == Release(champion, challenger)
    assert (state.candidate, state.revision) == (candidate, revision)


def test_the_state_names_the_entry_that_made_it(store: FolderArtifactStore) -> None:
    entry = state_at(filled(store).entries, at(6)).released_by
    assert entry is not None
    assert (entry.kind, entry.version, entry.at) == ("promoted", "1", at(4))


def test_a_version_that_is_refused_later_is_no_candidate(store: FolderArtifactStore) -> None:
    # Given a candidate
    ledger = append_entry(store, Ledger(), decision("gated", "1", passed=True), at(1))
    # When stricter gates refuse it
    ledger = append_entry(store, ledger, decision("gated", "1", passed=False), at(2))
    # Then it is a candidate no more
    assert state_at(ledger.entries).candidate is None


def test_a_champion_that_passes_again_does_not_become_its_own_challenger(
    store: FolderArtifactStore,
) -> None:
    ledger = append_entry(store, filled(store), decision("gated", "2", passed=True), at(9))
    assert state_at(ledger.entries).candidate is None


def bodies_of(store: FolderArtifactStore) -> dict[str, bytes]:
    return {key: store.get(key).body for key in store.list("ledger/")}


def test_any_changed_byte_but_in_the_newest_entry_breaks_the_chain(
    store: FolderArtifactStore,
) -> None:
    # Given a ledger
    filled(store)
    bodies = bodies_of(store)
    for key in sorted(bodies)[:-1]:
        # When one of its entries is altered so that it is a well-formed entry still
        altered = {**bodies, key: bodies[key].replace(b"because", b"becauze")}
        # Then the entry after it does not follow
        with pytest.raises(LedgerError, match="does not follow"):
            verified(altered)


def test_a_removed_entry_is_named(store: FolderArtifactStore) -> None:
    filled(store)
    bodies = bodies_of(store)
    del bodies[key_of(3)]
    with pytest.raises(LedgerError, match=r"ledger/00000003\.json is missing"):
        verified(bodies)


def test_entries_that_change_places_are_noticed(store: FolderArtifactStore) -> None:
    filled(store)
    bodies = bodies_of(store)
    swapped = bodies | {key_of(2): bodies[key_of(3)], key_of(3): bodies[key_of(2)]}
    with pytest.raises(LedgerError, match="does not follow"):
        verified(swapped)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"sequence": 1}'])
def test_an_object_that_is_not_an_entry_is_named(body: bytes) -> None:
    with pytest.raises(LedgerError, match=r"00000001\.json is not a ledger entry"):
        verified({key_of(1): body})


def test_an_entry_with_an_unknown_key_is_refused(store: FolderArtifactStore) -> None:
    filled(store)
    body = msgspec.json.decode(store.get(key_of(1)).body)
    forged = msgspec.json.encode({**body, "forged": True})
    with pytest.raises(LedgerError, match="is not a ledger entry"):
        verified({key_of(1): forged})


def test_the_newest_entry_of_a_kind_about_a_version_is_found(store: FolderArtifactStore) -> None:
    ledger = append_entry(store, filled(store), decision("gated", "1", passed=False), at(9))
    found = ledger.about("1", "gated")
    assert found is not None
    assert found.sequence == 9
    assert ledger.about("3", "gated") is None


def test_what_is_no_entry_is_ignored(store: FolderArtifactStore, tmp_path: Path) -> None:
    # Given files of other things beside the entries
    ledger = filled(store)
    folder = tmp_path / "store" / "ledger"
    for name in (
        "notes.txt",
        "00000001.json.bak",
        "00000001 (copy).json",
        "000000009.json",
        "00000099.json",
        "Thumbs.db",
        "old/00000001.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{}")
    # Then the ledger is the same, and grows
    assert read_ledger(store) == ledger
    append_entry(store, ledger, decision("registered", "3"), at(9))
    assert read_ledger(store).entries[-1].version == "3"
    # But a lost entry before a real one is still noticed
    (folder / "00000005.json").unlink()
    with pytest.raises(LedgerError, match=r"00000005\.json is missing"):
        read_ledger(store)
