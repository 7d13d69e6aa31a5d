"""A process may die between any two writes: repeating the work always ends in the same state.

Here in memory, at every write of many decisions; `tests/pipelines/test_killing.py` does the same to
the real commands, on disk and in a real registry, with real kills.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from operations.ledger.ledger import read_ledger
from operations.release.decisions import Decisions, Interventions
from operations.release.reconciliation import document_of, follow_ledger
from serving.models.release_document import ReleasedVersion, read_release
from serving.stores.artifacts.protocol import StoredObject
from serving.stores.errors import ConflictError, ObjectExistsError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.ledger.entries import LedgerEntry
    from serving.stores.artifacts.protocol import ArtifactStore

WRITES = 38  # of an undisturbed sequence: 18 ledger entries, 12 documents, 8 moves of an alias


class Killed(BaseException):
    """Stands for kill -9: no handler of ours catches it."""


class Fuse:
    """Lets so many writes through, then kills once, just before or just after the next one."""

    def __init__(self, writes: int | None = None, *, after: bool = False) -> None:
        self.left = writes
        self.after = after
        self.done = 0

    def write(self, work: Callable[[], str]) -> str:
        blown = self.left is not None and self.done >= self.left
        if blown:
            self.left = None
        if blown and not self.after:
            raise Killed
        result = work()
        self.done += 1
        if blown:
            raise Killed
        return result


class MemoryStore:
    """An artifact store in memory."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def get(self, key: str) -> StoredObject:
        if key not in self._objects:
            raise ObjectNotFoundError(key)
        return StoredObject(self._objects[key], _etag(self._objects[key]))

    def create(self, key: str, body: bytes) -> str:
        if key in self._objects:
            raise ObjectExistsError(key)
        self._objects[key] = body
        return _etag(body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        if self.get(key).etag != etag:
            raise ConflictError(key)
        self._objects[key] = body
        return _etag(body)

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self._objects if key.startswith(prefix))


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


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


def steps(store: ArtifactStore) -> Iterator[Callable[[], object]]:
    """Yield decisions of the pipeline and of Ada about two versions, in order."""
    pipeline = Decisions(store=store, model="ontime", by="pipeline")
    ada = Interventions(store=store, model="ontime", by="Ada")
    for version in (ReleasedVersion("1", "a" * 64), ReleasedVersion("2", "b" * 64)):
        number = version.version
        yield partial(pipeline.registered, number, {"run_id": f"run-{number}"})
        yield partial(pipeline.gated, number, passed=True, reasons=(), figures={})
        yield partial(pipeline.published, version)
        yield partial(ada.roll_out, 0.1, reason="well in shadow")
        yield partial(ada.approve, number, reason="read the card")
        yield partial(ada.roll_out, 1.0, reason="well at 10 %")
        yield partial(
            pipeline.promoted, version, rollout="gradual", approval="required", reason="done"
        )
    yield partial(ada.roll_back, reason="false alarms")
    yield partial(ada.roll_back, "2", reason="they were right")
    yield partial(pipeline.published, ReleasedVersion("3", "c" * 64))
    yield partial(ada.reject, "3", reason="unfair")


def decide_all(store: MemoryStore, aliases: dict[str, str], fuse: Fuse) -> None:
    """Take every decision, each with what follows it; one that is killed is taken again."""
    fused, moved = FusedStore(store, fuse), FusedAliases(aliases, fuse)
    for decide in steps(fused):
        try:
            decide()
            follow_ledger(fused, moved)
        except Killed:
            decide()
            follow_ledger(fused, moved)


def without_time(entry: LedgerEntry) -> tuple[object, ...]:
    return entry.sequence, entry.kind, entry.version, entry.evidence, entry.release


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writes", range(WRITES))
def test_killed_at_any_write_and_repeated_the_end_is_that_of_an_undisturbed_sequence(
    writes: int, *, after: bool
) -> None:
    # Given undisturbed decisions of two versions
    undisturbed: dict[str, str] = {}
    calm = MemoryStore()
    fuse = Fuse()
    decide_all(calm, undisturbed, fuse)
    assert fuse.done == WRITES
    # When others are killed at a write, and what was killed is done again
    aliases: dict[str, str] = {}
    store = MemoryStore()
    blown = Fuse(writes, after=after)
    decide_all(store, aliases, blown)
    assert blown.left is None
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
