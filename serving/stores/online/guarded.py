"""Online items whose store may be down: requests do not all wait for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from serving.stores.online.sqlite import OnlineItems

_SHORTEST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 4.0


class GuardedItems:
    """Asks a store, and leaves it alone for a while after it failed; used by several threads.

    Args:
        items: The store; it must give up in time when it is down.
        seconds: A clock that never goes back.
    """

    def __init__(
        self, items: OnlineItems, *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._items = items
        self._seconds = seconds
        self._pause = _SHORTEST_PAUSE
        self._closed_until = 0.0

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineItems.get_many`.

        Raises:
            StoreError: The store cannot be read, or could not a moment ago.
        """
        if self._seconds() < self._closed_until:
            raise StoreError("The online store failed a moment ago, and is left alone until later.")
        try:
            found = self._items.get_many(keys)
        except StoreError:
            self._closed_until = self._seconds() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            raise
        self._pause = _SHORTEST_PAUSE
        return found
