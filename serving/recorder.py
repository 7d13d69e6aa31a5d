"""Group commit: many predictions that wait at the same time reach the disk with one commit.

A commit costs about as much for a hundred records as for one (it waits for the disk). One thread
commits whatever has gathered while the commit before was under way; a prediction is acknowledged
once its own commit has returned.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from serving.problems import HistoryUnavailableError, not_kept
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from serving.stores.history import PredictionRecord, PredictionSink

_MOST_AT_ONCE = 500


class GroupRecorder:
    """Keeps predictions in the history on behalf of one event loop.

    Made inside the running loop that awaits `keep`.

    Args:
        history: Where they are kept.
    """

    def __init__(self, history: PredictionSink) -> None:
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[PredictionRecord, asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="group-commit", daemon=True)
        self._thread.start()

    async def keep(self, record: PredictionRecord) -> None:
        """Return once the record is on disk.

        Raises:
            HistoryUnavailableError: It could not be kept.
        """
        kept = self._loop.create_future()
        with self._changed:
            if self._closed:
                raise HistoryUnavailableError("The service is stopping: send the request again.")
            self._waiting.append((record, kept))
            self._changed.notify()
        await kept

    def close(self) -> None:
        """Keep what still waits, then stop. Called outside the event loop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            failure: Exception | None = None
            try:
                self._history.append([record for record, _ in batch])
            except StoreError as error:
                failure = not_kept(error)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of every failure
                failure = error
            self._loop.call_soon_threadsafe(_settle, [kept for _, kept in batch], failure)

    def _next_batch(self) -> list[tuple[PredictionRecord, asyncio.Future[None]]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batch = self._waiting[:_MOST_AT_ONCE]
            self._waiting = self._waiting[_MOST_AT_ONCE:]
            return batch


def _settle(kept: list[asyncio.Future[None]], failure: Exception | None) -> None:
    for future in kept:
        if future.done():  # its caller has gone
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
