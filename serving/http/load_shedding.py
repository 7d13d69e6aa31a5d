"""Load shedding: requests over what the event loop can answer soon are refused early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.schema.problems import OverloadedError

if TYPE_CHECKING:
    from serving.telemetry.metrics import Metrics

_SAMPLE_SECONDS: Final = 0.05


class LoadShedder:
    """Refuses requests while the event loop is overloaded.

    Two signs: the number of requests that wait for their answer, and the event-loop lag. A refusal
    costs little, so the requests that are admitted stay fast.

    Args:
        most_waiting: Requests that may wait at the same time.
        most_lag_seconds: The most event-loop lag.
        metrics: Counts refusals.

    Attributes:
        waiting: Requests that wait for their answer; the caller counts it up and down.
    """

    def __init__(self, *, most_waiting: int, most_lag_seconds: float, metrics: Metrics) -> None:
        self.waiting = 0
        self._most_waiting = most_waiting
        self._most_lag = most_lag_seconds
        self._metrics = metrics
        self._lag = 0.0

    async def watch(self) -> None:
        """Measure the event-loop lag until cancelled."""
        import asyncio  # noqa: PLC0415 - keeps it out of the cold start of a Lambda function

        loop = asyncio.get_running_loop()
        while True:
            expected = loop.time() + _SAMPLE_SECONDS
            await asyncio.sleep(_SAMPLE_SECONDS)
            self.observe_lag(loop.time() - expected)

    def observe_lag(self, seconds: float) -> None:
        """Record the latest event-loop lag."""
        self._lag = seconds

    def admit(self) -> None:
        """Admit a request, which `waiting` counts already.

        Raises:
            OverloadedError: The event loop is overloaded.
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
