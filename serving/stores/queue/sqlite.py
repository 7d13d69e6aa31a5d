"""Queues in a SQLite file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from serving.stores.database import SqliteStore, store_errors, transaction
from serving.stores.queue.protocol import MOST_AT_ONCE, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    message_id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    body TEXT NOT NULL,
    visible_at REAL NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (queue, visible_at);
"""
_SEND = "INSERT INTO messages (queue, body, visible_at) VALUES (?, ?, 0)"
_MOVE_DEAD = """
UPDATE messages SET queue = ?, visible_at = 0, receives = 0
WHERE queue = ? AND visible_at <= ? AND receives >= ?
"""
_RECEIVE = """
UPDATE messages SET visible_at = ?, receives = receives + 1 WHERE message_id IN (
    SELECT message_id FROM messages WHERE queue = ? AND visible_at <= ?
    ORDER BY visible_at, message_id LIMIT ?
) RETURNING message_id, body, receives
"""
_DELETE = """
DELETE FROM messages WHERE queue = ? AND (message_id, receives) IN (
    SELECT value ->> 0, value ->> 1 FROM json_each(?)
)
"""
_COUNT = "SELECT count(*) FROM messages WHERE queue = ?"
_POLL_SECONDS: Final = 0.05
_NEVER_DEAD: Final = 2**31  # dead letters stay where they are, however often they are read


class SqliteQueue(SqliteStore):
    """A queue in a SQLite file, which several queues may share; used by threads and processes.

    Args:
        path: The file, created when missing.
        name: The queue within the file.
        most_receives: After so many receives a message moves to the dead letters.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        most_receives: int = 5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, _SCHEMA)
        self._name = name
        self._most_receives = most_receives
        self._clock = clock
        self._dead_letters: SqliteQueue | None = None

    def send(self, bodies: Sequence[str]) -> None:
        """Send the messages in one transaction; see `Queue.send`."""
        with self._lock, store_errors(self._path), transaction(self._connection):
            self._connection.executemany(_SEND, [(self._name, body) for body in bodies])

    def receive(
        self, *, most: int = MOST_AT_ONCE, hidden_seconds: int = 30, wait_seconds: float = 0
    ) -> list[Message]:
        """Return messages, in order of their sending at first; see `Queue.receive`."""
        give_up = time.monotonic() + wait_seconds
        while True:
            if found := self._take(most, hidden_seconds):
                return found
            if time.monotonic() >= give_up:
                return []
            time.sleep(_POLL_SECONDS)

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; a redelivered one stays; see `Queue.delete`."""
        receipts = "[" + ",".join(message.receipt for message in messages) + "]"
        with self._lock, store_errors(self._path), transaction(self._connection):
            self._connection.execute(_DELETE, (self._name, receipts))

    def dead_letters(self) -> SqliteQueue:
        """Return the queue of the dead letters; see `Queue.dead_letters`."""
        if self._dead_letters is None:
            self._dead_letters = SqliteQueue(
                self._path, _dead(self._name), most_receives=_NEVER_DEAD, clock=self._clock
            )
        return self._dead_letters

    def close(self) -> None:
        """Close the file."""
        super().close()
        if self._dead_letters is not None:
            self._dead_letters.close()

    def depth(self) -> int:
        """Return how many messages there are; see `Queue.depth`."""
        with self._lock, store_errors(self._path):
            return int(self._connection.execute(_COUNT, (self._name,)).fetchone()[0])

    def _take(self, most: int, hidden_seconds: int) -> list[Message]:
        now = self._clock()
        with self._lock, store_errors(self._path):
            if not self._any_visible(now):  # polling must not take the write lock
                return []
            with transaction(self._connection):
                dead = (_dead(self._name), self._name, now, self._most_receives)
                self._connection.execute(_MOVE_DEAD, dead)
                taken = (now + hidden_seconds, self._name, now, most)
                rows = self._connection.execute(_RECEIVE, taken).fetchall()
        return [
            Message(body, msgspec.json.encode((message_id, receives)).decode(), receives)
            for message_id, body, receives in sorted(rows)
        ]

    def _any_visible(self, now: float) -> bool:
        query = "SELECT 1 FROM messages WHERE queue = ? AND visible_at <= ? LIMIT 1"
        return self._connection.execute(query, (self._name, now)).fetchone() is not None


def _dead(name: str) -> str:
    return f"{name}-dead"
