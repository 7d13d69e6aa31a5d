"""How much is taken on: so much of each caller, and no more at once than can be answered soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.schema.problems import OverloadedError, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.telemetry.metrics import Metrics

MOST_CALLERS: Final = 10_000
_LOOK_SECONDS: Final = 0.05


class RateLimit:
    """A bucket of tokens for each caller: a request takes one, and time fills it up again.

    Args:
        per_second: Requests of one caller that go on for ever; 0: no limit.
        burst: Requests of one caller at once.
        seconds: A clock that never goes back.
    """

    def __init__(self, *, per_second: float, burst: int, seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._seconds = seconds
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Take a token of a caller.

        Raises:
            TooManyRequestsError: There is none; says when there will be.
        """
        if not self._per_second:
            return
        now = self._seconds()
        tokens, at = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MOST_CALLERS:  # the one that has not asked for longest
            self._buckets.pop(next(iter(self._buckets)), None)
        if not allowed:
            wait = int((1 - tokens) / self._per_second) + 1
            raise TooManyRequestsError(
                f"More than {self._per_second:g} requests a second came from this caller: wait "
                f"{wait} s, and send fewer.",
                headers=((b"retry-after", b"%d" % wait),),
            )


class LoadGate:
    """Refuses requests of an event loop that has more to do than it can do soon.

    Two signs: how many requests wait for their answer, and how much later than wanted the loop
    comes round. What is refused costs little, so that what is taken stays quick.

    Args:
        most_waiting: Requests that may wait at once.
        most_lag_seconds: How late the loop may come round.
        metrics: Counts what was refused.
    """

    def __init__(self, *, most_waiting: int, most_lag_seconds: float, metrics: Metrics) -> None:
        self.waiting = 0
        self._most_waiting = most_waiting
        self._most_lag = most_lag_seconds
        self._metrics = metrics
        self._lag = 0.0

    async def watch(self) -> None:
        """Look how late the loop is, until cancelled."""
        import asyncio  # noqa: PLC0415 - a function in the cloud has no loop, and no time for it

        loop = asyncio.get_running_loop()
        while True:
            expected = loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self.seen(loop.time() - expected)

    def seen(self, lag_seconds: float) -> None:
        """Take note of how late the loop was."""
        self._lag = lag_seconds

    def enter(self) -> None:
        """Let a request on, which is counted in `waiting` already.

        Raises:
            OverloadedError: There are too many already.
        """
        if self.waiting <= self._most_waiting and self._lag <= self._most_lag:
            return
        reason = "lag" if self._lag > self._most_lag else "waiting"
        self._metrics.count("shed_total", reason=reason)
        raise OverloadedError(
            "The service has more requests than it can answer soon: wait a second, and send this "
            "one again.",
            headers=((b"retry-after", b"1"),),
        )
