"""Old predictions go, once an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.history.retention import Retention
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400_000


def test_old_predictions_are_deleted_once_an_hour(tmp_path: Path) -> None:
    # Given predictions of today, of ninety days ago and of the day before that
    history = SqlitePredictionHistory(tmp_path / "serving.db")
    now, seconds = [100 * DAY], [0.0]
    retention = Retention(history, days=90, clock=lambda: now[0], seconds=lambda: seconds[0])
    history.append([PredictionRecord(day * DAY, f"p{day}", "f", b"{}") for day in (9, 10, 100)])

    def days() -> list[int]:
        return [r.requested_at_ms // DAY for r in history.page(limit=9).records]

    # When it is time, Then the oldest is deleted
    retention.apply_when_due()
    assert days() == [100, 10]
    # And the next a day later, though not before an hour has passed
    now[0] += DAY
    retention.apply_when_due()
    assert days() == [100, 10]
    seconds[0] += 3600
    retention.apply_when_due()
    assert days() == [100]
    # And a history that fails is only logged
    history.close()
    seconds[0] += 3600
    retention.apply_when_due()
