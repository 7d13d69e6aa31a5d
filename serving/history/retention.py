"""Retention: deletes predictions older than the configured number of days, once an hour."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.stores.history.protocol import PredictionHistory

_PAUSE_SECONDS: Final = 3600
_MS_PER_DAY: Final = 86_400_000


class Retention:
    """Deletes old predictions.

    Args:
        history: Where from.
        days: Predictions older than this are deleted.
        clock: Milliseconds since the epoch.
        seconds: A monotonic clock.
    """

    def __init__(
        self,
        history: PredictionHistory,
        *,
        days: int,
        clock: Callable[[], int],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._retention_ms = days * _MS_PER_DAY
        self._clock = clock
        self._seconds = seconds
        self._due_at = 0.0

    def apply_when_due(self) -> None:
        """Delete old predictions unless done in the last hour; logs an error of the store."""
        now = self._seconds()
        if now < self._due_at:
            return
        self._due_at = now + _PAUSE_SECONDS
        try:
            self._history.delete_before(before_ms=self._clock() - self._retention_ms)
        except StoreError as error:
            log(logging.ERROR, "forgetting_failed", reason=str(error))
