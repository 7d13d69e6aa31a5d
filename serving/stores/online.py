"""The online store: the state that features are computed from, one item per entity key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import msgspec

from serving.stores.sqlite import connect, explained, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS online_items (
    key TEXT PRIMARY KEY,
    body BLOB NOT NULL
)
"""
_READ = "SELECT key, body FROM online_items WHERE key IN (SELECT value FROM json_each(?))"
_WRITE = (
    "INSERT INTO online_items (key, body) VALUES (?, ?) "
    "ON CONFLICT (key) DO UPDATE SET body = excluded.body"
)


class OnlineStore(Protocol):
    """Items of bytes by entity key, such as `origin=JFK`. What the bytes mean is not its matter."""

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist, in one batched read; a key without an item is left out.

        Raises:
            StoreError: The store cannot be read.
        """

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items, each replacing the one of its key; durable when it returns.

        Raises:
            StoreError: The store cannot be written.
        """


class SqliteOnlineStore:
    """The online store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, _SCHEMA)
        self._lock = threading.Lock()

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineStore.get_many`."""
        wanted = msgspec.json.encode(list(keys)).decode()
        with self._lock, explained(self._path):
            return dict(self._connection.execute(_READ, (wanted,)).fetchall())

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items, all or none; see `OnlineStore.put_many`."""
        with self._lock, explained(self._path), transaction(self._connection):
            self._connection.executemany(_WRITE, items.items())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
