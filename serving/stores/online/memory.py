"""An online store in memory, for one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.stores.online.protocol import OnlineItem, lost_race

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class MemoryOnlineStore:
    """An online store in memory, for one process."""

    def __init__(self) -> None:
        self._items: dict[str, OnlineItem] = {}
        self._writes = 0

    def close(self) -> None:
        """Do nothing."""

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist."""
        items = self._items
        return {key: items[key].body for key in keys if key in items}

    def read_many(self, keys: Iterable[str]) -> dict[str, OnlineItem]:
        """Return the items that exist, with their tags."""
        items = self._items
        return {key: items[key] for key in keys if key in items}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items."""
        self.replace_many({key: (body, self._tag(key)) for key, body in items.items()})

    def replace(self, key: str, body: bytes, *, tag: str | None) -> str:
        """Replace the item."""
        if self.replace_many({key: (body, tag)}):
            raise lost_race(key)
        return self._items[key].tag

    def replace_many(self, changes: Mapping[str, tuple[bytes, str | None]]) -> set[str]:
        """Replace the items that have their tags."""
        lost = {key for key, (_, tag) in changes.items() if self._tag(key) != tag}
        self._writes += 1
        for key, (body, _) in changes.items():
            if key not in lost:
                self._items[key] = OnlineItem(body, str(self._writes))
        return lost

    def _tag(self, key: str) -> str | None:
        item = self._items.get(key)
        return None if item is None else item.tag
