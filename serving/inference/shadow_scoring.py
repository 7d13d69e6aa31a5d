"""Shadow scoring: the challenger scores answered flights in a background thread."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.inference.predictor import Predictor, Shadow
    from serving.stores.history.protocol import PredictionRecord
    from serving.telemetry.metrics import Metrics

_MAX_QUEUED: Final = 2_000
_BATCH_SIZE: Final = 200


class ShadowScorer:
    """Scores shadows from a bounded queue; drops and counts what exceeds it.

    Args:
        predictor: Scores.
        append: Appends records to the prediction history.
        metrics: Counts dropped shadows.
        max_queued: Capacity of the queue.
    """

    def __init__(
        self,
        predictor: Predictor,
        append: Callable[[Sequence[PredictionRecord]], None],
        metrics: Metrics,
        *,
        max_queued: int = _MAX_QUEUED,
    ) -> None:
        self._predictor = predictor
        self._append = append
        self._metrics = metrics
        self._max_queued = max_queued
        self._queue: queue.SimpleQueue[Shadow | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the background thread."""
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Score what is queued, then stop the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def submit(self, shadows: Sequence[Shadow]) -> None:
        """Queue shadows; drops and counts them when the queue is full. Never waits or raises."""
        if self._thread is None:
            self.score(shadows)
            return
        for shadow in shadows:
            if self._queue.qsize() < self._max_queued:
                self._queue.put(shadow)
            else:
                self._metrics.count("shadow_dropped_total")

    def score(self, shadows: Sequence[Shadow]) -> None:
        """Score shadows and append their records; logs and counts a failure."""
        try:
            self._append(self._predictor.score_shadows(shadows))
        except Exception as error:  # noqa: BLE001 - a failing challenger must not stop answers
            self._metrics.count("shadow_dropped_total", len(shadows))
            log(logging.ERROR, "shadow_failed", error=error)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ended = [first], False
            while len(batch) < _BATCH_SIZE and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    ended = True
                    break
                batch.append(following)
            self.score(batch)
            if ended:
                return
