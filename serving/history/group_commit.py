"""Group commit: predictions that wait at the same time reach the disk with one commit.

A commit costs about as much for a hundred records as for one, because it waits for the disk. One
thread commits the records that arrived during the previous commit; a prediction is acknowledged
when its commit has returned.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from serving.schema.problems import HistoryUnavailableError, not_kept
from serving.stores.errors import StoreError
from serving.stores.isolation import apply_isolated
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.stores.history.protocol import PredictionRecord, PredictionSink

_Waiting: TypeAlias = "tuple[PredictionRecord, Callable[[Exception | None], None]]"
_MAX_BATCH = 500


class GroupCommitter:
    """Appends predictions to the history on behalf of one event loop.

    Created inside the running loop that awaits `append`.

    Args:
        history: Where to append.
    """

    def __init__(self, history: PredictionSink) -> None:
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    async def append(self, record: PredictionRecord) -> None:
        """Return once the record is durable.

        Raises:
            HistoryUnavailableError: It could not be stored.
        """
        committed = self._loop.create_future()
        self.submit(record, lambda failure: _settle(committed, failure))
        await committed

    def submit(self, record: PredictionRecord, then: Callable[[Exception | None], None]) -> None:
        """Queue a record; `then` is called in the loop after its commit, with the failure or None.

        Raises:
            HistoryUnavailableError: The service is stopping.
        """
        if self._closed:
            raise HistoryUnavailableError("The service is stopping: send the request again.")
        self._waiting.put((record, then))

    def close(self) -> None:
        """Commit what is queued, then stop. Called outside the event loop."""
        self._closed = True
        # Through the loop: a `submit` that has passed the check above has put its record before.
        self._loop.call_soon_threadsafe(self._waiting.put, None)
        self._thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            batch = [self._waiting.get()]
            with suppress(Empty):
                while len(batch) < _MAX_BATCH:
                    batch.append(self._waiting.get_nowait())
            closed = None in batch
            if waiting := [each for each in batch if each is not None]:
                self._commit(waiting)

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        failures = apply_isolated([record for record, _ in batch], self._history.append)
        outcomes: list[Exception | None] = [None] * len(batch)
        for place, error in failures.items():
            outcomes[place] = not_kept(error) if isinstance(error, StoreError) else error
        done = [(then, outcome) for (_, then), outcome in zip(batch, outcomes, strict=True)]
        self._loop.call_soon_threadsafe(_notify, done)


def _notify(
    outcomes: Sequence[tuple[Callable[[Exception | None], None], Exception | None]],
) -> None:
    for then, failure in outcomes:
        try:
            then(failure)
        except Exception as error:  # noqa: BLE001 - must not keep the others from being notified
            log(logging.ERROR, "telling_failed", error=error)


def _settle(committed: asyncio.Future[None], failure: Exception | None) -> None:
    if committed.done():  # its caller has disconnected
        return
    if failure is None:
        committed.set_result(None)
    else:
        committed.set_exception(failure)
