"""The contract of every online store, and what is SQLite's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.stores.errors import StoreError
from serving.stores.online import OnlineStore, SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite"])
def online(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnlineStore]:
    assert request.param == "sqlite"
    opened = SqliteOnlineStore(tmp_path / "serving.db")
    yield opened
    opened.close()


def test_items_are_read_back_in_one_call(online: OnlineStore) -> None:
    # Given items with keys as features have them
    items = {"origin=JFK": b"\x00\xff", "carrier=UA|flight_number=642": b"", "all": b"x" * 100_000}
    online.put_many(items)
    # Then those asked for are given, and those that are not there are left out
    assert online.get_many([*items, "tail_number=N1"]) == items
    assert online.get_many(["all", "all"]) == {"all": items["all"]}
    assert online.get_many([]) == {}


def test_an_item_replaces_the_one_of_its_key(online: OnlineStore) -> None:
    online.put_many({"a": b"1", "b": b"1"})
    online.put_many({"a": b"2"})
    assert online.get_many(["a", "b"]) == {"a": b"2", "b": b"1"}


def test_any_text_is_a_key(online: OnlineStore) -> None:
    # Given keys that quoting could break
    items = {key: key.encode() for key in ("'", '"', "a,b", "%", "ü", "[1]", " ")}
    online.put_many(items)
    assert online.get_many(items) == items


def test_many_threads_read_and_write(online: OnlineStore) -> None:
    def use(number: int) -> bool:
        online.put_many({f"key={number}": str(number).encode()})
        return online.get_many([f"key={number}"]) == {f"key={number}": str(number).encode()}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(60)))


def test_sqlite_failure_stores_nothing(tmp_path: Path) -> None:
    # Given items of which one cannot be stored, Then none is
    online = SqliteOnlineStore(tmp_path / "serving.db")
    items: dict[str, bytes] = {"good": b"1", "bad": None}  # type: ignore[dict-item] # on purpose
    with pytest.raises(StoreError, match=r"serving\.db"):
        online.put_many(items)
    assert online.get_many(["good"]) == {}
    online.close()


def test_sqlite_writer_of_another_process_is_seen(tmp_path: Path) -> None:
    # Given two objects on one file, as a pipeline and a server have
    server = SqliteOnlineStore(tmp_path / "serving.db")
    pipeline = SqliteOnlineStore(tmp_path / "serving.db")
    assert server.get_many(["a"]) == {}
    pipeline.put_many({"a": b"1"})
    assert server.get_many(["a"]) == {"a": b"1"}
    server.close()
    pipeline.close()
