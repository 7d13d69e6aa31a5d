"""The online store in a SQLite file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

from serving.stores.database import SqliteStore, store_errors, transaction
from serving.stores.online.protocol import OnlineItem, lost_race, new_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS online_items (
    key TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    tag TEXT NOT NULL DEFAULT ''
)
"""
_ADD_TAG = "ALTER TABLE online_items ADD COLUMN tag TEXT NOT NULL DEFAULT ''"
_READ = "SELECT key, body FROM online_items WHERE key IN (SELECT value FROM json_each(?))"
_READ_TAGGED = """
SELECT key, body, tag FROM online_items WHERE key IN (SELECT value FROM json_each(?))
"""
_WRITE = (
    "INSERT INTO online_items (key, body, tag) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET body = excluded.body, tag = excluded.tag"
)
_CREATE = "INSERT INTO online_items (key, body, tag) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_REPLACE = "UPDATE online_items SET body = ?, tag = ? WHERE key = ? AND tag = ?"


class SqliteOnlineStore(SqliteStore):
    """The online store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, created when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)
        with store_errors(path):
            _migrate(self._connection)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineStore.get_many`."""
        wanted = msgspec.json.encode(list(keys)).decode()
        with self._lock, store_errors(self._path):
            return dict(self._connection.execute(_READ, (wanted,)).fetchall())

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items, all or none; see `OnlineStore.put_many`."""
        tag = new_tag()
        rows = [(key, body, tag) for key, body in items.items()]
        with self._lock, store_errors(self._path), transaction(self._connection):
            self._connection.executemany(_WRITE, rows)

    def read_many(self, keys: Iterable[str]) -> dict[str, OnlineItem]:
        """Return the items with their tags; see `OnlineStore.read_many`."""
        wanted = msgspec.json.encode(list(keys)).decode()
        with self._lock, store_errors(self._path):
            found = self._connection.execute(_READ_TAGGED, (wanted,)).fetchall()
        return {key: OnlineItem(body, tag) for key, body, tag in found}

    def replace(self, key: str, body: bytes, *, tag: str | None) -> str:
        """Replace the item that has this tag; see `OnlineStore.replace`."""
        new = new_tag()
        with self._lock, store_errors(self._path), transaction(self._connection):
            if not self._replaced(key, body, tag, new):
                raise lost_race(key)
        return new

    def replace_many(self, changes: Mapping[str, tuple[bytes, str | None]]) -> set[str]:
        """Replace each item that has its tag, in one commit; see `OnlineStore.replace_many`."""
        new = new_tag()
        with self._lock, store_errors(self._path), transaction(self._connection):
            return {
                key
                for key, (body, tag) in changes.items()
                if not self._replaced(key, body, tag, new)
            }

    def _replaced(self, key: str, body: bytes, tag: str | None, new: str) -> bool:
        statement, values = (
            (_CREATE, (key, body, new)) if tag is None else (_REPLACE, (body, new, key, tag))
        )
        return self._connection.execute(statement, values).rowcount > 0


def _migrate(connection: sqlite3.Connection) -> None:
    """Add the column `tag` to a file of an earlier version."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(online_items)")}
    if "tag" in columns:
        return
    try:
        connection.execute(_ADD_TAG)
    except sqlite3.OperationalError as error:  # another process was first
        if "duplicate column" not in str(error):
            raise
