"""A prediction history that may be down where no disk lasts (in a function): a queue takes over.

A prediction that the history does not take is sent to a queue, which is durable, and acknowledged.
The function `serving.lambdas.records_handler` receives from the queue and hands it to the history.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from serving.history.delegated import DelegatedHistory
from serving.history.record_lines import encoded
from serving.stores.circuit_breaker import CircuitBreaker
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.stores.history.protocol import PredictionHistory, PredictionRecord
    from serving.stores.queue.protocol import Queue

_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class QueuedHistory(DelegatedHistory):
    """The prediction history over another one and a queue; may be used by several threads.

    Args:
        history: The history; it must give up in time when it is down.
        queue: Takes what the history does not.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        history: PredictionHistory,
        queue: Queue,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(history)
        self._queue = queue
        self._breaker = CircuitBreaker(
            shortest_pause=_SHORTEST_PAUSE, longest_pause=_LONGEST_PAUSE, clock=clock
        )

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Keep the records, in the history or in the queue; see `PredictionHistory.append`.

        Raises:
            StoreError: Neither took them.
        """
        if not self._breaker.is_open:
            try:
                self._history.append(records)
            except StoreError as error:
                self._breaker.on_failure()
                log(logging.ERROR, "history_down", reason=str(error))
            else:
                self._breaker.on_success()
                return
        try:
            self._queue.send([encoded(record).decode() for record in records])
        except StoreError:
            self._breaker.allow_next()
            raise

    def check(self) -> None:
        """Raise unless a prediction could be kept; see `PredictionHistory.check`."""
        try:
            self._history.check()
        except StoreError:
            self._queue.depth()
