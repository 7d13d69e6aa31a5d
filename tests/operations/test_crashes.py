"""A process may die between any two writes: repeating the work always ends in the same state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations.decisions import Decisions
from operations.ledger import read_ledger
from operations.release import document_of, follow_ledger
from serving.release import ReleasedVersion, read_release
from serving.stores.artifacts import FolderArtifactStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operations.entries import LedgerEntry
    from serving.stores.artifacts import ArtifactStore, StoredObject

WRITES = 18  # of an undisturbed release: 8 ledger entries, 4 documents, 6 moves of an alias


class Killed(BaseException):
    """Stands for kill -9: no handler of ours catches it."""


class Fuse:
    """Lets so many writes through, then kills, just before or just after the next one."""

    def __init__(self, writes: int | None = None, *, after: bool = False) -> None:
        self.left = writes
        self.after = after
        self.done = 0

    def write(self, work: Callable[[], str]) -> str:
        blown = self.left is not None and self.done >= self.left
        if blown and not self.after:
            raise Killed
        result = work()
        self.done += 1
        if blown:
            raise Killed
        return result


class FusedStore:
    def __init__(self, store: ArtifactStore, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def get(self, key: str) -> StoredObject:
        return self._store.get(key)

    def create(self, key: str, body: bytes) -> str:
        return self._fuse.write(lambda: self._store.create(key, body))

    def replace(self, key: str, body: bytes, etag: str) -> str:
        return self._fuse.write(lambda: self._store.replace(key, body, etag))

    def list(self, prefix: str) -> list[str]:
        return self._store.list(prefix)


class FusedAliases:
    def __init__(self, versions: dict[str, str], fuse: Fuse) -> None:
        self._versions = versions
        self._fuse = fuse

    def version_of(self, alias: str) -> str | None:
        return self._versions.get(alias)

    def point(self, alias: str, version: str | None) -> None:
        def move() -> str:
            self._versions.pop(alias, None)
            if version is not None:
                self._versions[alias] = version
            return ""

        self._fuse.write(move)


def release_two_versions(store: FolderArtifactStore, aliases: dict[str, str], fuse: Fuse) -> None:
    fused, moved = FusedStore(store, fuse), FusedAliases(aliases, fuse)
    decisions = Decisions(store=fused, model="ontime", by="pipeline")
    for version in (ReleasedVersion("1", "a" * 64), ReleasedVersion("2", "b" * 64)):
        if read_ledger(fused).about(version.version, "promoted"):
            continue
        decisions.registered(version.version, {"run_id": f"run-{version.version}"})
        decisions.gated(version.version, passed=True, reasons=(), figures={})
        follow_ledger(fused, moved)
        decisions.published(version)
        follow_ledger(fused, moved)
        decisions.promoted(version, rollout="direct", reason="gates passed")
        follow_ledger(fused, moved)
    follow_ledger(fused, moved)


def without_time(entry: LedgerEntry) -> tuple[object, ...]:
    return entry.sequence, entry.kind, entry.version, entry.evidence, entry.release


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writes", range(WRITES))
def test_killed_at_any_write_and_repeated_the_end_is_that_of_an_undisturbed_release(
    tmp_path: Path, writes: int, *, after: bool
) -> None:
    # Given an undisturbed release of two versions, one after the other
    undisturbed: dict[str, str] = {}
    calm = FolderArtifactStore(tmp_path / "calm")
    fuse = Fuse()
    release_two_versions(calm, undisturbed, fuse)
    assert fuse.done == WRITES
    # When another one is killed at a write and repeated
    aliases: dict[str, str] = {}
    store = FolderArtifactStore(tmp_path / "store")
    with pytest.raises(Killed):
        release_two_versions(store, aliases, Fuse(writes, after=after))
    release_two_versions(store, aliases, Fuse())
    # Then ledger, aliases and document are the same, and nothing is left to repair
    ledger = read_ledger(store)
    assert list(map(without_time, ledger.entries)) == [
        without_time(entry) for entry in read_ledger(calm).entries
    ]
    assert aliases == undisturbed == {"champion": "2"}
    release = read_release(store)
    assert release is not None
    assert release.document == document_of(ledger)
    assert follow_ledger(store, FusedAliases(aliases, Fuse())) == ()
