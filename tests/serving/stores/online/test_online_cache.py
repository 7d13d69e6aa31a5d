"""What is kept of the online store is never older than the store was at the last look."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.online.item_bytes import CachedItem
from serving.stores.errors import StoreError
from serving.stores.online import online_cache
from serving.stores.online.online_cache import OnlineCache
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteOnlineStore]:
    opened = SqliteOnlineStore(tmp_path / "serving.db")
    yield opened
    opened.close()


@pytest.fixture
def cache(store: SqliteOnlineStore, tmp_path: Path) -> Iterator[OnlineCache]:
    opened = OnlineCache(store, tmp_path / "serving.db", unseen_seconds=0)
    yield opened
    opened.close()


def test_every_kind_of_change_shows_at_once(
    store: SqliteOnlineStore, cache: OnlineCache, tmp_path: Path
) -> None:
    # Given keys that are asked for again and again
    keys = ["a", "b", "c"]
    assert cache.get_many(keys) == {}
    # Then what is put, replaced and removed, here or by another process, shows at once
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


def test_what_did_not_change_is_not_read_again(
    store: SqliteOnlineStore, cache: OnlineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_many({"a": b"1"})
    first = cache.get_many(["a", "missing"])
    monkeypatch.setattr(store, "get_many", None)
    assert cache.get_many(["missing", "a"]) == first == {"a": b"1"}


def test_it_keeps_only_so_many(
    store: SqliteOnlineStore, cache: OnlineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_cache, "MOST_ITEMS", 10)
    for number in range(100):
        cache.get_many([str(number)])
    assert len(cache._items) <= 11
    assert store.get_many(["1"]) == cache.get_many(["1"]) == {}


def test_those_who_ask_in_the_same_moment_share_one_look(
    store: SqliteOnlineStore, tmp_path: Path
) -> None:
    # Given a cache whose moments are long
    cache = OnlineCache(store, tmp_path / "serving.db", unseen_seconds=60)
    assert cache.get_many(["a"]) == {}
    # When an item comes, Then it is seen in the next moment
    store.put_many({"a": b"1"})
    assert cache.get_many(["a"]) == {}
    cache._look_at = 0.0
    assert cache.get_many(["a"]) == {"a": b"1"}
    cache.close()


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=2)), max_size=8))
def test_it_always_says_what_the_store_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("laws") / "serving.db"
    store = SqliteOnlineStore(path)
    cache = OnlineCache(store, path, unseen_seconds=0)
    for key, body in steps:
        store.put_many({key: body})
        assert cache.get_many("abc") == store.get_many("abc")
    cache.close()
    store.close()


def test_nobody_is_told_that_an_item_is_missing_while_another_reads_it(
    store: SqliteOnlineStore, cache: OnlineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an item, and a moment in which one thread has read it and not yet put it where all look
    store.put_many({"a": b"1"})
    seen: list[dict[str, bytes]] = []

    def opened(body: bytes) -> bytes:
        monkeypatch.setattr(online_cache, "CachedItem", CachedItem)
        seen.append(cache.get_many(["a"]))  # the other thread, which comes in between
        return CachedItem(body)

    monkeypatch.setattr(online_cache, "CachedItem", opened)
    # Then neither is told that there is none
    assert cache.get_many(["a"]) == {"a": b"1"}
    assert seen == [{"a": b"1"}]


def test_several_threads_see_no_older_item_than_was_put(
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


def test_a_file_that_is_gone_is_a_store_error(cache: OnlineCache) -> None:
    cache.close()
    with pytest.raises(StoreError):
        cache.get_many(["a"])
