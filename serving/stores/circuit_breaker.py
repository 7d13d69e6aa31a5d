"""A circuit breaker: after a failure, calls to a store are skipped, with exponential back-off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CircuitBreaker:
    """Opens on a failure, for a pause that doubles with each further failure.

    Args:
        shortest_pause: Seconds that it stays open after the first failure.
        longest_pause: The most seconds that it stays open.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        shortest_pause: float,
        longest_pause: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shortest_pause = shortest_pause
        self._longest_pause = longest_pause
        self._clock = clock
        self._pause = shortest_pause
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are skipped at the moment."""
        return self._clock() < self._open_until

    def on_success(self) -> None:
        """Reset the pause: the store answered."""
        self._pause = self._shortest_pause

    def on_failure(self) -> None:
        """Open: the store failed."""
        self._open_until = self._clock() + self._pause
        self._pause = min(2 * self._pause, self._longest_pause)

    def allow_next(self) -> None:
        """Close for the next call, because there is no alternative to the store."""
        self._open_until = 0.0
