"""Online items behind a circuit breaker, so that requests do not wait for a store that is down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from serving.stores.circuit_breaker import CircuitBreaker
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from serving.stores.online.protocol import OnlineItems

_SHORTEST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 4.0


class OnlineCircuitBreaker:
    """Reads a store unless it failed a moment ago; may be used by several threads.

    Args:
        items: The store; its calls must time out when it is down.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, items: OnlineItems, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._items = items
        self._breaker = CircuitBreaker(
            shortest_pause=_SHORTEST_PAUSE, longest_pause=_LONGEST_PAUSE, clock=clock
        )

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineItems.get_many`.

        Raises:
            StoreError: The store cannot be read, or the circuit breaker is open.
        """
        if self._breaker.is_open:
            raise StoreError("The online store failed a moment ago: its circuit breaker is open.")
        try:
            found = self._items.get_many(keys)
        except StoreError:
            self._breaker.on_failure()
            raise
        self._breaker.on_success()
        return found
