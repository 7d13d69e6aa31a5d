"""The contract of every online store, and what is SQLite's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.stores.database import connect
from serving.stores.definitions import ONLINE
from serving.stores.errors import ConflictError, StoreError
from serving.stores.online.aws import DynamoOnlineStore
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.stores.online.protocol import OnlineStore


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.aws)])
def online(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnlineStore]:
    if request.param == "dynamodb":
        yield DynamoOnlineStore(request.getfixturevalue("table")(ONLINE))
        return
    opened = SqliteOnlineStore(tmp_path / "serving.db")
    yield opened
    opened.close()


def test_items_are_read_back_in_one_call(online: OnlineStore) -> None:
    # Given items with keys as features have them
    items = {"origin=JFK": b"\x00\xff", "carrier=UA|flight_number=642": b"", "all": b"x" * 100_000}
    online.put_many(items)
    # Then the stored ones are returned, and missing ones are left out
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


def test_an_item_is_replaced_only_with_its_latest_tag(online: OnlineStore) -> None:
    # Given an item that two have read
    first = online.replace("a", b"1", tag=None)
    seen = online.read_many(["a", "b"])
    assert {key: (item.body, item.tag) for key, item in seen.items()} == {"a": (b"1", first)}
    # When one of them replaces it
    second = online.replace("a", b"2", tag=first)
    # Then the other may not, nor who has seen none or another
    for stale in (first, None, "never"):
        with pytest.raises(ConflictError, match="'a' changed"):
            online.replace("a", b"lost", tag=stale)
    assert online.read_many(["a"])["a"].body == b"2"
    # And who has seen the latest may
    online.replace("a", b"3", tag=second)
    assert online.get_many(["a"]) == {"a": b"3"}


def test_what_is_not_there_cannot_be_replaced(online: OnlineStore) -> None:
    with pytest.raises(ConflictError):
        online.replace("a", b"1", tag="tag")
    assert online.read_many(["a"]) == {}


def test_a_plain_write_is_noticed_too(online: OnlineStore) -> None:
    # Given an item that was read, When the pipeline rewrites all items, even with the same bytes
    tag = online.replace("a", b"1", tag=None)
    online.put_many({"a": b"1"})
    with pytest.raises(ConflictError):
        online.replace("a", b"2", tag=tag)


def test_no_replacement_is_lost(online: OnlineStore) -> None:
    # Given a counter that does not exist yet, and eight who count up
    def count_up(_: int) -> None:
        while True:
            seen = online.read_many(["count"]).get("count")
            body = b"%d" % (int(seen.body) + 1 if seen else 1)
            try:
                online.replace("count", body, tag=seen.tag if seen else None)
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(40)))
    # Then each is counted once
    assert online.get_many(["count"]) == {"count": b"40"}


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


def test_sqlite_file_without_tags_is_brought_up_to_date(tmp_path: Path) -> None:
    # Given a file made before items had tags
    old = connect(
        tmp_path / "serving.db",
        "CREATE TABLE online_items (key TEXT PRIMARY KEY, body BLOB NOT NULL);"
        "INSERT INTO online_items VALUES ('a', x'31')",
    )
    old.close()
    # Then its items are read, and may be replaced, and it may be opened again
    online = SqliteOnlineStore(tmp_path / "serving.db")
    online.replace("a", b"2", tag=online.read_many(["a"])["a"].tag)
    online.close()
    again = SqliteOnlineStore(tmp_path / "serving.db")
    assert again.get_many(["a"]) == {"a": b"2"}
    again.close()


def test_sqlite_writer_of_another_process_is_seen(tmp_path: Path) -> None:
    # Given two objects on one file, as a pipeline and a server have
    server = SqliteOnlineStore(tmp_path / "serving.db")
    pipeline = SqliteOnlineStore(tmp_path / "serving.db")
    assert server.get_many(["a"]) == {}
    pipeline.put_many({"a": b"1"})
    assert server.get_many(["a"]) == {"a": b"1"}
    server.close()
    pipeline.close()


def test_of_many_items_those_with_their_latest_tag_are_replaced(online: OnlineStore) -> None:
    # Given three items, read or missing, of which another process writes one
    tags = {key: online.replace(key, b"1", tag=None) for key in ("a", "b")}
    online.replace("b", b"2", tag=tags["b"])
    # When all are replaced as they were read
    changes: dict[str, tuple[bytes, str | None]] = {
        "a": (b"3", tags["a"]), "b": (b"3", tags["b"]), "c": (b"3", None),
    }  # fmt: skip
    # Then that one is not, and is named
    assert online.replace_many(changes) == {"b"}
    assert online.get_many("abc") == {"a": b"3", "b": b"2", "c": b"3"}
    assert online.replace_many({}) == set()
