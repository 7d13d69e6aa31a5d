"""A prediction history that reads from another one: for those that write in a way of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.stores.history.protocol import HistoryPage, PredictionHistory, PredictionRecord


class DelegatedHistory:
    """All of a prediction history but `append` and `check`.

    Args:
        history: What is asked.
    """

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

    def forget(self, *, before_ms: int) -> int:
        """Remove old predictions; see `PredictionHistory.forget`."""
        return self._history.forget(before_ms=before_ms)

    def close(self) -> None:
        """Close the history."""
        self._history.close()
