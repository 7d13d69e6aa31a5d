"""Items of a SQLite online store, read once and kept until any of them changes.

Triggers in the file count the changes, whichever process makes them; one small query tells whether
there was one in the last millisecond. A read of some thirty items then costs a few microseconds.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from features.online.item_bytes import CachedItem
from serving.stores.database import connect, explained

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from serving.stores.online.sqlite import SqliteOnlineStore

MOST_ITEMS: Final = 50_000
_UNSEEN_SECONDS: Final = 0.001

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS online_changes (number INTEGER NOT NULL);
INSERT INTO online_changes (number)
    SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM online_changes);
CREATE TRIGGER IF NOT EXISTS online_item_inserted AFTER INSERT ON online_items
    BEGIN UPDATE online_changes SET number = number + 1; END;
CREATE TRIGGER IF NOT EXISTS online_item_updated AFTER UPDATE ON online_items
    BEGIN UPDATE online_changes SET number = number + 1; END;
CREATE TRIGGER IF NOT EXISTS online_item_deleted AFTER DELETE ON online_items
    BEGIN UPDATE online_changes SET number = number + 1; END;
"""
_NUMBER: Final = "SELECT number FROM online_changes"


class OnlineCache:
    """Reads items of a store; may be used by several threads.

    Args:
        store: The store, whose file has its table already.
        path: Its file.
        unseen_seconds: How long a change may stay unseen: those who ask meanwhile share one look.

    Raises:
        StoreError: The file cannot be used.
    """

    def __init__(
        self, store: SqliteOnlineStore, path: Path, *, unseen_seconds: float = _UNSEEN_SECONDS
    ) -> None:
        self._store = store
        self._path = path
        self._connection = connect(path, _SCHEMA)
        self._number = self._connection.cursor()
        self._lock = threading.Lock()
        self._seen: tuple[int] | None = None
        self._unseen_seconds = unseen_seconds
        self._look_at = 0.0
        self._items: dict[str, CachedItem | None] = {}

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineStore.get_many`."""
        with self._lock:
            now = time.perf_counter()
            if now >= self._look_at:
                self._look()
                self._look_at = now + self._unseen_seconds
            items = self._items
        # Read after the number: what changes in between is read anew next time.
        wanted = list(keys)
        if unknown := [key for key in wanted if key not in items]:
            found = {key: CachedItem(body) for key, body in self._store.get_many(unknown).items()}
            items.update(dict.fromkeys(unknown) | found)  # at once: other threads read meanwhile
        return {key: body for key in wanted if (body := items[key]) is not None}

    def _look(self) -> None:
        """Forget all items if one has changed, or they are too many."""
        with explained(self._path):
            number = self._number.execute(_NUMBER).fetchone()
        if number != self._seen or len(self._items) > MOST_ITEMS:
            self._items = {}
            self._seen = number

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
