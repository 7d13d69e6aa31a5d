"""A prediction history that may be down: answers still come, and no prediction is lost.

A prediction that the history does not take waits in a spool on this disk, and is acknowledged once
it is durable there. From then on the history is left alone: no request waits for it again until
the drainer, a thread of its own, has handed over what waited.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.history.delegated import DelegatedHistory
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.history.spool import FileSpool, Segment
    from serving.stores.history.protocol import PredictionHistory, PredictionRecord

_AT_ONCE: Final = 200
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class SpoolFigures:
    """What the spool did since the process started, and what waits.

    Attributes:
        spooled: Predictions that went to the spool.
        drained: Predictions that the history was handed from it, those of dead processes included.
        waiting: Predictions that wait.
        history_up: Whether the history took the last predictions.
    """

    spooled: int
    drained: int
    waiting: int
    history_up: bool


class SpooledHistory(DelegatedHistory):
    """The prediction history over another one; may be used by several threads.

    Args:
        history: The history; it must give up in time when it is down.
        spool: Where records wait. What a process before has left there is drained at once.
        longest_pause: Seconds between two tries to reach a history that stays down.
    """

    def __init__(
        self,
        history: PredictionHistory,
        spool: FileSpool,
        *,
        longest_pause: float = _LONGEST_PAUSE,
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
        if spool.waiting():
            self._wake_drainer()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Keep the records, in the history or in the spool; see `PredictionHistory.append`.

        Raises:
            StoreError: Neither took them.
        """
        failure: StoreError | None = None
        if self._up:
            try:
                self._history.append(records)
            except StoreError as error:
                failure = error
                self._up = False
                log(logging.ERROR, "history_down", reason=str(error))
            else:
                return
        try:
            self._spool.append(records)
        except StoreError as error:
            self._up = True  # the next one tries the history again
            raise StoreError(f"{error} Nor did the history take it. {failure or ''}") from error
        with self._counting:
            self._spooled += len(records)
        self._wake_drainer()

    def check(self) -> None:
        """Raise unless a prediction could be kept; see `PredictionHistory.check`."""
        try:
            self._history.check()
        except StoreError:
            self._spool.check()

    def figures(self) -> SpoolFigures:
        """Return what the spool did, and what waits in it now."""
        with self._counting:
            spooled, drained = self._spooled, self._drained
        return SpoolFigures(spooled, drained, self._spool.waiting(), self._up)

    def close(self) -> None:
        """Stop draining; what waits is drained by the next process."""
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
        """Hand over what waits, whenever something does, until closed."""
        pause = _SHORTEST_PAUSE
        while not self._closed.is_set():
            try:
                if not self._drain_a_segment():
                    self._work.wait()
                    self._work.clear()
                pause = _SHORTEST_PAUSE
            except Exception as error:  # noqa: BLE001 - draining must go on, whatever happens
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

    def _drain_a_segment(self) -> bool:
        segment = self._spool.take()
        if segment is None:
            return False
        try:
            self._hand_over(segment)
        except BaseException:
            segment.give_back()
            raise
        segment.done()
        if segment.damaged:
            log(logging.ERROR, "spool_damaged", lines=segment.damaged)
        log(logging.INFO, "spool_drained", records=len(segment.records))
        return True

    def _hand_over(self, segment: Segment) -> None:
        for start in range(0, len(segment.records), _AT_ONCE):
            some = segment.records[start : start + _AT_ONCE]
            self._history.append(some)
            self._up = True
            with self._counting:
                self._drained += len(some)
