"""Cached items are never older than the last check of the store."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.stores.errors import StoreError
from serving.stores.online.cache import OnlineCache
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Reads:
    """A store that records which keys are read."""

    def __init__(self, store: SqliteOnlineStore) -> None:
        self._store = store
        self.keys: list[list[str]] = []

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.keys.append(list(keys))
        return self._store.get_many(self.keys[-1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteOnlineStore]:
    opened = SqliteOnlineStore(tmp_path / "serving.db")
    yield opened
    opened.close()


@pytest.fixture
def cache(store: SqliteOnlineStore, tmp_path: Path) -> Iterator[OnlineCache]:
    opened = OnlineCache(store, tmp_path / "serving.db", max_stale_seconds=0)
    yield opened
    opened.close()


def test_every_kind_of_change_is_visible_immediately(
    store: SqliteOnlineStore, cache: OnlineCache, tmp_path: Path
) -> None:
    # Given keys that are read repeatedly
    keys = ["a", "b", "c"]
    assert cache.get_many(keys) == {}
    # Then an insert, an update and a delete are visible, also those of other processes
    store.put_many({"a": b"1", "b": b"2"})
    assert cache.get_many(keys) == {"a": b"1", "b": b"2"}
    store.replace("a", b"3", tag=store.read_many(["a"])["a"].tag)
    assert cache.get_many(keys) == {"a": b"3", "b": b"2"}
    other = SqliteOnlineStore(tmp_path / "serving.db")
    other.put_many({"c": b"4"})
    other.close()
    assert cache.get_many(keys) == {"a": b"3", "b": b"2", "c": b"4"}
    with sqlite3.connect(tmp_path / "serving.db") as connection:
        connection.execute("DELETE FROM online_items WHERE key = 'a'")
    connection.close()
    assert cache.get_many(keys) == {"b": b"2", "c": b"4"}


def test_what_did_not_change_is_not_read_again(store: SqliteOnlineStore, tmp_path: Path) -> None:
    # Given a cache over a store that counts its reads
    store.put_many({"a": b"1"})
    reads = Reads(store)
    cache = OnlineCache(reads, tmp_path / "serving.db", max_stale_seconds=0)
    first = cache.get_many(["a", "missing"])
    # When the same keys are read again, the missing one included, Then the store is not read
    assert cache.get_many(["missing", "a"]) == first == {"a": b"1"}
    assert reads.keys == [["a", "missing"]]
    cache.close()


def test_the_cache_is_bounded(store: SqliteOnlineStore, tmp_path: Path) -> None:
    # Given a cache of at most ten items
    reads = Reads(store)
    cache = OnlineCache(reads, tmp_path / "serving.db", max_stale_seconds=0, max_items=10)
    # When more are read
    for number in range(12):
        cache.get_many([str(number)])
    # Then the first ones were evicted and are read again
    assert cache.get_many(["0"]) == {}
    assert reads.keys.count(["0"]) == 2
    cache.close()


def test_reads_within_the_allowed_staleness_share_one_check(
    store: SqliteOnlineStore, tmp_path: Path
) -> None:
    # Given a cache whose items may be a minute old
    now = [0.0]
    file = tmp_path / "serving.db"
    cache = OnlineCache(store, file, max_stale_seconds=60, clock=lambda: now[0])
    assert cache.get_many(["a"]) == {}
    # When an item is added, Then it is visible after that minute
    store.put_many({"a": b"1"})
    now[0] = 59.0
    assert cache.get_many(["a"]) == {}
    now[0] = 60.0
    assert cache.get_many(["a"]) == {"a": b"1"}
    cache.close()


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=2)), max_size=8))
def test_the_cache_equals_the_store_after_every_write(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("laws") / "serving.db"
    store = SqliteOnlineStore(path)
    cache = OnlineCache(store, path, max_stale_seconds=0)
    for key, body in steps:
        store.put_many({key: body})
        assert cache.get_many("abc") == store.get_many("abc")
    cache.close()
    store.close()


def test_a_concurrent_reader_never_sees_an_existing_item_as_missing(
    store: SqliteOnlineStore, tmp_path: Path
) -> None:
    # Given a reader that starts while another one has read an item and not yet cached it
    store.put_many({"a": b"1"})
    seen: list[dict[str, bytes]] = []

    class Interrupted(dict[str, bytes]):
        def items(self) -> Any:
            if not seen:
                seen.append({})
                seen[0] = interrupted.get_many(["a"])
            return super().items()

    class InterruptedStore:
        def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
            return Interrupted(store.get_many(keys))

    interrupted = OnlineCache(InterruptedStore(), tmp_path / "serving.db", max_stale_seconds=0)
    # Then both get the item
    assert interrupted.get_many(["a"]) == {"a": b"1"}
    assert seen == [{"a": b"1"}]
    interrupted.close()


def test_threads_never_see_an_item_older_than_the_last_write(
    store: SqliteOnlineStore, cache: OnlineCache
) -> None:
    store.put_many({"a": b"0"})

    def read(_: int) -> list[int]:
        return [int(cache.get_many(["a"])["a"]) for _ in range(200)]

    with ThreadPoolExecutor(3) as pool:
        reading = pool.map(read, range(3))
        for number in range(100):
            store.put_many({"a": b"%d" % number})
            assert int(cache.get_many(["a"])["a"]) >= number
        for seen in reading:
            assert seen == sorted(seen)


def test_a_closed_file_is_a_store_error(cache: OnlineCache) -> None:
    cache.close()
    with pytest.raises(StoreError):
        cache.get_many(["a"])
