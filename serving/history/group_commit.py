"""Group commit: many predictions that wait at the same time reach the disk with one commit.

A commit costs about as much for a hundred records as for one (it waits for the disk). One thread
commits whatever has gathered while the commit before was under way; a prediction is acknowledged
once its own commit has returned.
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
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.stores.history.protocol import PredictionRecord, PredictionSink

_Waiting: TypeAlias = "tuple[PredictionRecord, Callable[[Exception | None], None]]"
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
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="group-commit", daemon=True)
        self._thread.start()

    async def keep(self, record: PredictionRecord) -> None:
        """Return once the record is on disk.

        Raises:
            HistoryUnavailableError: It could not be kept.
        """
        kept = self._loop.create_future()
        self.hand_in(record, lambda failure: _settle(kept, failure))
        await kept

    def hand_in(self, record: PredictionRecord, then: Callable[[Exception | None], None]) -> None:
        """Have `then` called in the loop: with nothing once the record is on disk, or with why not.

        Raises:
            HistoryUnavailableError: The service is stopping.
        """
        if self._closed:
            raise HistoryUnavailableError("The service is stopping: send the request again.")
        self._waiting.put((record, then))

    def close(self) -> None:
        """Keep what still waits, then stop. Called outside the event loop."""
        self._closed = True
        # By way of the loop: whoever was let on by `keep` has put its record before.
        self._loop.call_soon_threadsafe(self._waiting.put, None)
        self._thread.join()

    def _work(self) -> None:
        closed = False
        while not closed:
            batch = [self._waiting.get()]
            with suppress(Empty):
                while len(batch) < _MOST_AT_ONCE:
                    batch.append(self._waiting.get_nowait())
            closed = None in batch
            if waiting := [each for each in batch if each is not None]:
                self._keep(waiting)

    def _keep(self, batch: Sequence[_Waiting]) -> None:
        failure: Exception | None = None
        try:
            self._history.append([record for record, _ in batch])
        except StoreError as error:
            failure = not_kept(error)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of every failure
            failure = error
        self._loop.call_soon_threadsafe(_tell, [then for _, then in batch], failure)


def _tell(waiting: Sequence[Callable[[Exception | None], None]], failure: Exception | None) -> None:
    for then in waiting:
        try:
            then(failure)
        except Exception as error:  # noqa: BLE001 - it is no matter of the others
            log(logging.ERROR, "telling_failed", error=error)


def _settle(kept: asyncio.Future[None], failure: Exception | None) -> None:
    if kept.done():  # its caller has gone
        return
    if failure is None:
        kept.set_result(None)
    else:
        kept.set_exception(failure)
