"""The prediction history in a SQLite file."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from serving.stores.database import connect, store_errors, transaction
from serving.stores.history.cursor import to_cursor, upper_end
from serving.stores.history.protocol import HistoryPage, PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    requested_at_ms INTEGER NOT NULL,
    prediction_id TEXT NOT NULL,
    flight_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (requested_at_ms, prediction_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS predictions_by_id ON predictions (prediction_id);
CREATE INDEX IF NOT EXISTS predictions_by_flight
    ON predictions (flight_id, requested_at_ms, prediction_id);
CREATE TABLE IF NOT EXISTS write_checks (id INTEGER PRIMARY KEY, at_ns INTEGER, filler BLOB);
"""
_APPEND = (
    "INSERT INTO predictions (requested_at_ms, prediction_id, flight_id, body) "
    "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_GET = """
SELECT requested_at_ms, prediction_id, flight_id, body FROM predictions WHERE prediction_id = ?
"""
_PAGE = """
SELECT requested_at_ms, prediction_id, flight_id, body FROM predictions
WHERE (requested_at_ms, prediction_id) < (?, ?) AND requested_at_ms >= ?
ORDER BY requested_at_ms DESC, prediction_id DESC LIMIT ?
"""
_PAGE_OF_FLIGHT = """
SELECT requested_at_ms, prediction_id, flight_id, body FROM predictions
WHERE flight_id = ? AND (requested_at_ms, prediction_id) < (?, ?) AND requested_at_ms >= ?
ORDER BY requested_at_ms DESC, prediction_id DESC LIMIT ?
"""
_CHECK = "INSERT OR REPLACE INTO write_checks (id, at_ns, filler) VALUES (1, ?, randomblob(4096))"
_FORGET = """
DELETE FROM predictions WHERE (requested_at_ms, prediction_id) IN (
    SELECT requested_at_ms, prediction_id FROM predictions WHERE requested_at_ms < ?
    ORDER BY requested_at_ms LIMIT ?
)
"""
_DELETE_BATCH = 2_000  # a longer transaction would delay predictions


class SqlitePredictionHistory:
    """The prediction history in a SQLite file; one object may be used by several threads.

    Readers have a connection of their own: a page never waits for a write to reach the disk.

    Args:
        path: The file, created when missing.
        busy_ms: How long to wait for another process that has the file locked.
    """

    def __init__(self, path: Path, *, busy_ms: int = 10_000) -> None:
        self._path = path
        self._writer = connect(path, _SCHEMA, busy_ms=busy_ms)
        self._writing = threading.Lock()
        self._reader = connect(path, _SCHEMA)
        self._reading = threading.Lock()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records in one transaction; see `PredictionHistory.append`."""
        rows = [(r.requested_at_ms, r.prediction_id, r.flight_id, r.body) for r in records]
        with self._writing, store_errors(self._path), transaction(self._writer):
            self._writer.executemany(_APPEND, rows)

    def get(self, prediction_id: str) -> PredictionRecord | None:
        """Return one prediction; see `PredictionHistory.get`."""
        with self._reading, store_errors(self._path):
            found = self._reader.execute(_GET, (prediction_id,)).fetchone()
        return None if found is None else PredictionRecord(*found)

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flight_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> HistoryPage:
        """Return a page, newest first; see `PredictionHistory.page`."""
        end = upper_end(cursor, until_ms)
        range_and_one_more = (
            *end,
            since_ms or 0,
            limit + 1,
        )  # to know whether an older page exists
        with self._reading, store_errors(self._path):
            if flight_id is None:
                found = self._reader.execute(_PAGE, range_and_one_more).fetchall()
            else:
                query = (flight_id, *range_and_one_more)
                found = self._reader.execute(_PAGE_OF_FLIGHT, query).fetchall()
        records = [PredictionRecord(*row) for row in found[:limit]]
        if len(found) <= limit:
            return HistoryPage(records, None)
        last = records[-1]
        return HistoryPage(records, to_cursor((last.requested_at_ms, last.prediction_id)))

    def delete_before(self, *, before_ms: int) -> int:
        """Delete old predictions in batches; see `PredictionHistory.delete_before`."""
        removed = 0
        while True:
            with self._writing, store_errors(self._path), transaction(self._writer):
                deleted = self._writer.execute(_FORGET, (before_ms, _DELETE_BATCH)).rowcount
            removed += deleted
            if deleted < _DELETE_BATCH:
                return removed

    def check(self) -> None:
        """Write to the file; see `PredictionHistory.check`."""
        with self._writing, store_errors(self._path), transaction(self._writer):
            self._writer.execute(_CHECK, (time.time_ns(),))

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()
