from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations.ledger.entries import Decision, Release
from operations.ledger.ledger import Ledger, LedgerError, append_entry, read_ledger
from operations.release.reconciliation import document_of, follow_ledger
from serving.models.release_document import RELEASE_KEY, ReleasedVersion, read_release
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

    from operations.ledger.entries import Kind

ONE = ReleasedVersion("1", "a" * 64)
TWO = ReleasedVersion("2", "b" * 64)


class AliasesInMemory:
    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    def version_of(self, alias: str) -> str | None:
        return self.versions.get(alias)

    def point(self, alias: str, version: str | None) -> None:
        if version is None:
            del self.versions[alias]
        else:
            self.versions[alias] = version


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifactStore:
    return FolderArtifactStore(tmp_path / "store")


@pytest.fixture
def aliases() -> AliasesInMemory:
    return AliasesInMemory()


def append(store: FolderArtifactStore, kind: Kind, release: Release | None = None) -> Ledger:
    decision = Decision(
        kind=kind,
        by="pipeline",
        reason="because",
        model="ontime",
        version="1",
        evidence={"passed": True},
        release=release,
    )
    ledger = read_ledger(store)
    at = f"2026-03-01T10:00:0{len(ledger.entries) + 1}.000Z"
    return append_entry(store, ledger, decision, at)


def test_nothing_follows_an_empty_ledger(
    store: FolderArtifactStore, aliases: AliasesInMemory
) -> None:
    assert follow_ledger(store, aliases) == ()
    assert read_release(store) is None


def test_a_gated_version_becomes_challenger_in_the_registry_only(
    store: FolderArtifactStore, aliases: AliasesInMemory
) -> None:
    append(store, "gated")
    assert follow_ledger(store, aliases) == ("alias challenger",)
    assert aliases.versions == {"challenger": "1"}
    assert read_release(store) is None


def test_publishing_then_promoting_moves_document_and_aliases(
    store: FolderArtifactStore, aliases: AliasesInMemory
) -> None:
    # Given a version that was gated and published
    append(store, "gated")
    append(store, "published", Release(None, ONE))
    follow_ledger(store, aliases)
    published = read_release(store)
    # When it is promoted
    ledger = append(store, "promoted", Release(ONE))
    changed = follow_ledger(store, aliases)
    # Then the document names the entry, and the version has one alias
    assert published is not None
    assert (published.document.revision, published.document.challenger) == (1, ONE)
    promoted = read_release(store)
    assert promoted is not None
    assert (promoted.document.revision, promoted.document.champion) == (2, ONE)
    assert promoted.document.ledger_head == ledger.head
    assert promoted.document.updated_at == "2026-03-01T10:00:03.000Z"
    assert aliases.versions == {"champion": "1"}
    assert changed == ("release document", "alias champion", "alias challenger")


def test_following_twice_changes_nothing(
    store: FolderArtifactStore, aliases: AliasesInMemory
) -> None:
    append(store, "promoted", Release(ONE))
    follow_ledger(store, aliases)
    assert follow_ledger(store, aliases) == ()


def test_a_manual_change_or_a_crash_is_repaired(
    store: FolderArtifactStore, aliases: AliasesInMemory
) -> None:
    # Given a promotion whose document was overwritten, and whose alias was taken away
    append(store, "promoted", Release(ONE))
    follow_ledger(store, aliases)
    right = read_release(store)
    store.replace(RELEASE_KEY, b'{"half": ', store.get(RELEASE_KEY).etag)
    aliases.versions = {"challenger": "7"}
    # When the ledger is followed again
    changed = follow_ledger(store, aliases)
    # Then both are as before
    assert changed == ("release document", "alias champion", "alias challenger")
    assert read_release(store) == right
    assert aliases.versions == {"champion": "1"}


def test_a_truncated_ledger_is_detected_by_the_document_that_follows_it(
    store: FolderArtifactStore, aliases: AliasesInMemory, tmp_path: Path
) -> None:
    append(store, "gated")
    append(store, "promoted", Release(ONE))
    follow_ledger(store, aliases)
    (tmp_path / "store" / "ledger" / "00000002.json").unlink()
    with pytest.raises(LedgerError, match="no longer has"):
        follow_ledger(store, aliases)


def test_the_document_is_a_function_of_the_ledger_alone(store: FolderArtifactStore) -> None:
    ledger = append(store, "published", Release(None, ONE))
    assert document_of(ledger) == document_of(read_ledger(store))
    assert document_of(Ledger()) is None


class Raced(AliasesInMemory):
    """Aliases that another process moves on, just before a move of ours arrives."""

    def __init__(self, store: FolderArtifactStore) -> None:
        super().__init__()
        self._store = store
        self._raced = False

    def point(self, alias: str, version: str | None) -> None:
        if not self._raced:
            self._raced = True
            append(self._store, "rolled_back", Release(TWO))
            follow_ledger(self._store, self)
            assert self.versions["champion"] == "2"
        super().point(alias, version)


def test_an_alias_that_was_moved_late_is_moved_again(store: FolderArtifactStore) -> None:
    # Given a promotion whose alias arrives after that of a newer decision
    append(store, "promoted", Release(ONE))
    aliases = Raced(store)
    # When it follows the ledger
    follow_ledger(store, aliases)
    # Then the alias and the document are those of the newest entry
    assert aliases.versions == {"champion": "2"}
    release = read_release(store)
    assert release is not None
    assert release.document == document_of(read_ledger(store))
