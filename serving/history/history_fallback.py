"""Prediction histories that accept records while their store is down.

`SpooledHistory` writes what the store rejects to a spool on the local disk, and a background
thread drains it. `QueuedHistory` sends it to a queue instead, for a function, whose disk does not
last. Either way a record is acknowledged once it is durable (docs/adr/0017).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.history.record_lines import encode_record
from serving.history.spool import FileSpool
from serving.stores.circuit_breaker import CircuitBreaker
from serving.stores.errors import ItemRefusedError, StoreError
from serving.stores.isolation import apply_isolated
from serving.stores.opening import open_history, open_queue
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serving.history.spool import Segment
    from serving.settings import StoreSettings
    from serving.stores.history.protocol import HistoryPage, PredictionHistory, PredictionRecord
    from serving.stores.queue.protocol import Queue

_DRAIN_BATCH: Final = 200
_DRAIN_SHORTEST_PAUSE: Final = 0.1
_DRAIN_LONGEST_PAUSE: Final = 5.0
_BREAKER_SHORTEST_PAUSE: Final = 1.0
_BREAKER_LONGEST_PAUSE: Final = 30.0


def open_history_with_fallback(options: StoreSettings, home: Path) -> PredictionHistory:
    """Return the prediction history with the configured fallback.

    Args:
        options: Which stores are used.
        home: The folder of the embedded stores and of the spool.

    Raises:
        StoreError: A store cannot be opened.
    """
    history = open_history(options, home)
    if options.fallback == "spool":
        spool = FileSpool(home / "spool", most_megabytes=options.spool_megabytes)
        return SpooledHistory(history, spool)
    if options.fallback == "queue":
        return QueuedHistory(history, open_queue(options, home, "records"))
    return history


class _Fallback:
    """Everything but `append` and `check`: passed on to the history."""

    def __init__(self, history: PredictionHistory) -> None:
        self._history = history

    def get(self, prediction_id: str) -> PredictionRecord | None:
        """Return one prediction; see `PredictionHistory.get`."""
        return self._history.get(prediction_id)

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flight_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> HistoryPage:
        """Return a page; see `PredictionHistory.page`."""
        return self._history.page(
            limit=limit, cursor=cursor, flight_id=flight_id, since_ms=since_ms, until_ms=until_ms
        )

    def delete_before(self, *, before_ms: int) -> int:
        """Delete old predictions; see `PredictionHistory.delete_before`."""
        return self._history.delete_before(before_ms=before_ms)

    def close(self) -> None:
        """Close the history."""
        self._history.close()


@dataclass(frozen=True, slots=True)
class SpoolStatistics:
    """Counts of the spool since the process started.

    Attributes:
        spooled: Predictions written to the spool.
        drained: Predictions moved from the spool to the history, those of dead processes included.
        waiting: Predictions in the spool.
        history_up: Whether the history took the last predictions.
    """

    spooled: int
    drained: int
    waiting: int
    history_up: bool


class SpooledHistory(_Fallback):
    """A prediction history with a spool as fallback; may be used by several threads.

    After a failure, records go to the spool without trying the history, until the drainer thread
    has moved a batch to the history.

    Args:
        history: The history; its writes must time out when it is down.
        spool: The fallback. Records left by an earlier process are drained.
        longest_pause: Maximal back-off between two attempts of the drainer, in seconds.
    """

    def __init__(
        self,
        history: PredictionHistory,
        spool: FileSpool,
        *,
        longest_pause: float = _DRAIN_LONGEST_PAUSE,
    ) -> None:
        super().__init__(history)
        self._spool = spool
        self._longest_pause = longest_pause
        self._up = True
        self._spooled = 0
        self._drained = 0
        self._counting = threading.Lock()
        self._work = threading.Event()
        self._closed = threading.Event()
        self._drainer: threading.Thread | None = None
        if not spool.is_empty():
            self._wake_drainer()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records to the history or to the spool; see `PredictionHistory.append`.

        Raises:
            StoreError: Neither took them.
        """
        failure: StoreError | None = None
        if self._up:
            try:
                self._history.append(records)
            except ItemRefusedError:
                raise  # the history works
            except StoreError as error:
                failure = error
                self._up = False
                log(logging.ERROR, "history_down", reason=str(error))
            else:
                return
        try:
            self._spool.append(records)
        except StoreError as error:
            self._up = True  # the next request tries the history again
            raise StoreError(f"{error} Nor did the history take it. {failure or ''}") from error
        with self._counting:
            self._spooled += len(records)
        self._wake_drainer()

    def check(self) -> None:
        """Raise unless a prediction could be stored; see `PredictionHistory.check`."""
        try:
            self._history.check()
        except StoreError:
            self._spool.check()

    def statistics(self) -> SpoolStatistics:
        """Return the counts of the spool."""
        with self._counting:
            spooled, drained = self._spooled, self._drained
        return SpoolStatistics(spooled, drained, self._spool.waiting(), self._up)

    def close(self) -> None:
        """Stop draining; the next process drains what is left."""
        self._closed.set()
        self._work.set()
        if self._drainer is not None:
            self._drainer.join()
        self._spool.close()
        super().close()

    def _wake_drainer(self) -> None:
        with self._counting:
            if self._drainer is None:
                self._drainer = threading.Thread(target=self._drain, name="drainer", daemon=True)
                self._drainer.start()
        self._work.set()

    def _drain(self) -> None:
        """Drain the spool whenever it holds records, until closed."""
        pause = _DRAIN_SHORTEST_PAUSE
        while not self._closed.is_set():
            try:
                if not self._drain_segment():
                    self._work.wait()
                    self._work.clear()
                pause = _DRAIN_SHORTEST_PAUSE
            except Exception as error:  # noqa: BLE001 - the drainer must survive every failure
                expected = isinstance(error, StoreError)
                reason = str(error)
                log(
                    logging.WARNING if expected else logging.ERROR,
                    "history_still_down",
                    error=None if expected else error,
                    reason=reason,
                )
                self._closed.wait(pause)
                pause = min(2 * pause, self._longest_pause)

    def _drain_segment(self) -> bool:
        segment = self._spool.take()
        if segment is None:
            return False
        try:
            refused = self._move(segment)
        except BaseException:
            segment.release()
            raise
        segment.complete(keep=refused > 0)
        if segment.damaged or refused:
            log(logging.ERROR, "spool_damaged", lines=segment.damaged, refused=refused)
        log(logging.INFO, "spool_drained", records=len(segment.records))
        return True

    def _move(self, segment: Segment) -> int:
        """Append the records of a segment to the history; return how many it refuses."""
        refused = 0
        for start in range(0, len(segment.records), _DRAIN_BATCH):
            batch = segment.records[start : start + _DRAIN_BATCH]
            failures = apply_isolated(batch, self._history.append)
            for failure in failures.values():
                if not isinstance(failure, ItemRefusedError):
                    raise failure
            self._up = True
            refused += len(failures)
            with self._counting:
                self._drained += len(batch) - len(failures)
        return refused


class QueuedHistory(_Fallback):
    """A prediction history with a queue as fallback; may be used by several threads.

    The function `serving.lambdas.records_handler` moves records from the queue to the history.

    Args:
        history: The history; its writes must time out when it is down.
        queue: The fallback.
        clock: A monotonic clock, in seconds.
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
            shortest_pause=_BREAKER_SHORTEST_PAUSE,
            longest_pause=_BREAKER_LONGEST_PAUSE,
            clock=clock,
        )

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records to the history or to the queue; see `PredictionHistory.append`.

        Raises:
            StoreError: Neither took them.
        """
        if not self._breaker.is_open:
            try:
                self._history.append(records)
            except ItemRefusedError:
                self._breaker.on_success()
                raise
            except StoreError as error:
                self._breaker.on_failure()
                log(logging.ERROR, "history_down", reason=str(error))
            else:
                self._breaker.on_success()
                return
        try:
            self._queue.send([encode_record(record).decode() for record in records])
        except StoreError:
            self._breaker.allow_next()
            raise

    def check(self) -> None:
        """Raise unless a prediction could be stored; see `PredictionHistory.check`."""
        try:
            self._history.check()
        except StoreError:
            self._queue.depth()
