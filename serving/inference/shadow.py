"""The challenger in the shadow: it scores what the champion answered, and nobody waits for it."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.inference.core import PredictionCore, Shadow
    from serving.stores.history.protocol import PredictionRecord
    from serving.telemetry.metrics import Metrics

MOST_WAITING: Final = 2_000
_AT_ONCE: Final = 200


class ShadowScorer:
    """Scores and keeps shadows in a thread of its own, as far as time allows.

    Args:
        core: Scores.
        keep: Keeps records in the prediction history.
        metrics: Counts what was dropped.
    """

    def __init__(
        self,
        core: PredictionCore,
        keep: Callable[[Sequence[PredictionRecord]], None],
        metrics: Metrics,
    ) -> None:
        self._core = core
        self._keep = keep
        self._metrics = metrics
        self._waiting: queue.SimpleQueue[Shadow | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Score in the background from now on."""
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Score what waits, then stop."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def take(self, shadows: Sequence[Shadow]) -> None:
        """Take what to score; one too many is dropped and counted. Never waits, never raises."""
        if self._thread is None:
            self.work_off(shadows)
            return
        for shadow in shadows:
            if self._waiting.qsize() < MOST_WAITING:
                self._waiting.put(shadow)
            else:
                self._metrics.count("shadow_dropped_total")

    def work_off(self, shadows: Sequence[Shadow]) -> None:
        """Score and keep some; a failure is logged and counted."""
        try:
            self._keep([self._core.shadow(shadow) for shadow in shadows])
        except Exception as error:  # noqa: BLE001 - whatever a challenger does, answers go on
            self._metrics.count("shadow_dropped_total", len(shadows))
            log(logging.ERROR, "shadow_failed", error=error)

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, ended = [first], False
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    ended = True
                    break
                batch.append(following)
            self.work_off(batch)
            if ended:
                return
