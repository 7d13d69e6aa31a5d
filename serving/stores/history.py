"""The prediction history: every answer that was given, newest first.

Access patterns, and there are no others: append; all predictions, newest first; the predictions of
one flight, newest first. Each is one range read of a key (time, prediction id), never a scan.
"""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from serving.stores.errors import InvalidCursorError
from serving.stores.sqlite import connect, explained, transaction

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
CREATE INDEX IF NOT EXISTS predictions_by_flight
    ON predictions (flight_id, requested_at_ms, prediction_id);
"""
_APPEND = (
    "INSERT INTO predictions (requested_at_ms, prediction_id, flight_id, body) "
    "VALUES (?, ?, ?, ?) ON CONFLICT (requested_at_ms, prediction_id) DO NOTHING"
)
_PAGE = """
SELECT requested_at_ms, prediction_id, flight_id, body FROM predictions
WHERE (requested_at_ms, prediction_id) < (?, ?)
ORDER BY requested_at_ms DESC, prediction_id DESC LIMIT ?
"""
_PAGE_OF_FLIGHT = """
SELECT requested_at_ms, prediction_id, flight_id, body FROM predictions
WHERE flight_id = ? AND (requested_at_ms, prediction_id) < (?, ?)
ORDER BY requested_at_ms DESC, prediction_id DESC LIMIT ?
"""
_MAX_MS = 2**63 - 1
_AFTER_ALL = (_MAX_MS, "")


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One prediction as it is kept.

    Attributes:
        requested_at_ms: When it was asked for, in milliseconds since the epoch.
        prediction_id: Unique name of the prediction.
        flight_id: The flight it is about.
        body: The whole record as JSON.
    """

    requested_at_ms: int
    prediction_id: str
    flight_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of the history.

    Attributes:
        records: Newest first.
        next_cursor: Where the next older page starts; None when nothing older exists.
    """

    records: Sequence[PredictionRecord]
    next_cursor: str | None


class PredictionHistory(Protocol):
    """Predictions, kept for good; newest first."""

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Keep the records; they are on disk when it returns. Appending one again changes nothing.

        Raises:
            StoreError: They could not be kept; none of them is.
        """

    def page(
        self, *, limit: int, cursor: str | None = None, flight_id: str | None = None
    ) -> HistoryPage:
        """Return at most `limit` records, newest first; new ones never shift an older page.

        Args:
            limit: The most records to return, at least 1.
            cursor: `next_cursor` of the page before; None for the newest page.
            flight_id: Only predictions of this flight.

        Raises:
            InvalidCursorError: The cursor is not one that a page handed out.
            StoreError: The history cannot be read.
        """


class SqlitePredictionHistory:
    """The prediction history in a SQLite file; one object may be used by several threads.

    Readers have a connection of their own: a page never waits for a write to reach the disk.

    Args:
        path: The file, made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = connect(path, _SCHEMA)
        self._writing = threading.Lock()
        self._reader = connect(path, _SCHEMA)
        self._reading = threading.Lock()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Keep the records with one commit; see `PredictionHistory.append`."""
        rows = [(r.requested_at_ms, r.prediction_id, r.flight_id, r.body) for r in records]
        with self._writing, explained(self._path), transaction(self._writer):
            self._writer.executemany(_APPEND, rows)

    def page(
        self, *, limit: int, cursor: str | None = None, flight_id: str | None = None
    ) -> HistoryPage:
        """Return a page, newest first; see `PredictionHistory.page`."""
        position = _AFTER_ALL if cursor is None else _position(cursor)
        one_more = limit + 1  # tells whether an older page exists
        with self._reading, explained(self._path):
            if flight_id is None:
                found = self._reader.execute(_PAGE, (*position, one_more)).fetchall()
            else:
                query = (flight_id, *position, one_more)
                found = self._reader.execute(_PAGE_OF_FLIGHT, query).fetchall()
        records = [PredictionRecord(*row) for row in found[:limit]]
        more = len(found) > limit
        return HistoryPage(records, _cursor(records[-1]) if more else None)

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()


def _cursor(last: PredictionRecord) -> str:
    position = msgspec.json.encode((last.requested_at_ms, last.prediction_id))
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = base64.b64decode(padded, altchars=b"-_", validate=True)
        at, prediction_id = msgspec.json.decode(position, type=tuple[int, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _not_ours(cursor) from error
    if not 0 <= at <= _MAX_MS:
        raise _not_ours(cursor)
    return at, prediction_id


def _not_ours(cursor: str) -> InvalidCursorError:
    return InvalidCursorError(
        f"'{cursor[:80]}' is not a cursor of the prediction history: take the value of 'next' from "
        "the page before, or leave the cursor out to start at the newest."
    )
