"""The prediction history: every prediction that was answered, newest first.

Access patterns, and there are no others: append; one prediction by its id; all predictions or those
of one flight, newest first, within a time range. Each reads one key or one range of keys, never
scans. docs/stores.md describes keys and retention of each implementation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """A stored prediction.

    Attributes:
        requested_at_ms: When it was requested, in milliseconds since the epoch.
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


class PredictionSink(Protocol):
    """The append-only side of the history: a prediction is appended before it is sent."""

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records; they are durable when it returns.

        Idempotent: a record whose prediction id exists is ignored.

        Raises:
            StoreError: Not all of them were stored, but some may be: append them again.
        """


class PredictionHistory(PredictionSink, Protocol):
    """Predictions, newest first, until their retention ends."""

    def get(self, prediction_id: str) -> PredictionRecord | None:
        """Return one prediction, or None when there is none of this id.

        Raises:
            StoreError: The history cannot be read.
        """

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flight_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> HistoryPage:
        """Return at most `limit` records, newest first; new ones never shift an older page.

        Args:
            limit: The most records to return, at least 1.
            cursor: `next_cursor` of the page before; None for the newest page.
            flight_id: Only predictions of this flight.
            since_ms: Only predictions requested at this instant or later.
            until_ms: Only predictions requested before this instant.

        Raises:
            InvalidCursorError: The cursor is not one that a page returned.
            StoreError: The history cannot be read.
        """

    def delete_before(self, *, before_ms: int) -> int:
        """Delete predictions requested before an instant; return how many were deleted.

        A store with a time to live (DynamoDB) does nothing and returns 0.

        Raises:
            StoreError: The history cannot be written.
        """

    def check(self) -> None:
        """Check cheaply whether a prediction could be stored.

        Raises:
            StoreError: It could not.
        """

    def close(self) -> None:
        """Close files and connections."""
