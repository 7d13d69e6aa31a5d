"""Rate limit: a token bucket for each caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.schema.problems import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CALLERS: Final = 10_000


class RateLimit:
    """A token bucket for each caller: a request takes a token, and time refills the bucket.

    Args:
        per_second: Sustained requests of one caller; 0: no limit.
        burst: Size of a bucket: requests of one caller at the same time.
        seconds: A monotonic clock.
    """

    def __init__(self, *, per_second: float, burst: int, seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._seconds = seconds
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Take a token of a caller.

        Raises:
            TooManyRequestsError: The bucket is empty; `Retry-After` is the time to the next token.
        """
        if not self._per_second:
            return
        now = self._seconds()
        tokens, at = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MAX_CALLERS:  # evict the least recently seen caller
            self._buckets.pop(next(iter(self._buckets)), None)
        if not allowed:
            wait = int((1 - tokens) / self._per_second) + 1
            raise TooManyRequestsError(
                f"More than {self._per_second:g} requests a second came from this caller: wait "
                f"{wait} s, and send fewer.",
                headers=((b"retry-after", b"%d" % wait),),
            )

    def __len__(self) -> int:
        """Return the number of callers with a bucket."""
        return len(self._buckets)
