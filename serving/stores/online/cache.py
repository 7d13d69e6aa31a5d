"""A cache of the online items in a SQLite file, emptied whenever an item changes.

Triggers in the file count the changes of all processes. A small query, at most once a millisecond,
compares that count. A read of some thirty cached items costs a few microseconds.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from features.online.item_bytes import CachedItem
from serving.stores.database import connect, store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from serving.stores.online.protocol import OnlineItems

_MAX_ITEMS: Final = 50_000
_MAX_STALE_SECONDS: Final = 0.001

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
_CHANGES: Final = "SELECT number FROM online_changes"


class OnlineCache:
    """Caches the items of a store; may be used by several threads.

    Args:
        store: The store, whose table must exist in the file.
        path: The file.
        max_stale_seconds: How old a cached item may be; reads within this time share one check.
        max_items: The cache is emptied when it holds more items.
        clock: A monotonic clock, in seconds.

    Raises:
        StoreError: The file cannot be used.
    """

    def __init__(
        self,
        store: OnlineItems,
        path: Path,
        *,
        max_stale_seconds: float = _MAX_STALE_SECONDS,
        max_items: int = _MAX_ITEMS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._path = path
        self._connection = connect(path, _SCHEMA)
        self._cursor = self._connection.cursor()
        self._lock = threading.Lock()
        self._changes: tuple[int] | None = None
        self._max_stale_seconds = max_stale_seconds
        self._max_items = max_items
        self._clock = clock
        self._check_at = 0.0
        self._items: dict[str, CachedItem | None] = {}

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineStore.get_many`."""
        with self._lock:
            now = self._clock()
            if now >= self._check_at:
                self._invalidate()
                self._check_at = now + self._max_stale_seconds
            items = self._items
        # Read after the check: an item that changes in between is read again at the next check.
        wanted = list(keys)
        if unknown := [key for key in wanted if key not in items]:
            found = {key: CachedItem(body) for key, body in self._store.get_many(unknown).items()}
            items.update(dict.fromkeys(unknown) | found)  # one update: other threads read meanwhile
        return {key: body for key in wanted if (body := items[key]) is not None}

    def _invalidate(self) -> None:
        """Empty the cache if an item has changed, or it holds too many."""
        with store_errors(self._path):
            changes = self._cursor.execute(_CHANGES).fetchone()
        if changes != self._changes or len(self._items) > self._max_items:
            self._items = {}
            self._changes = changes

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
