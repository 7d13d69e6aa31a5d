"""The idempotency store in a SQLite file."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from serving.stores.database import SqliteStore, store_errors, transaction
from serving.stores.idempotency.protocol import Begun, KnownKey, answer_of

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY,
    body_hash TEXT NOT NULL,
    claim TEXT NOT NULL,
    claimed_until_ms INTEGER NOT NULL,
    answer BLOB,
    expires_at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_expiry ON idempotency_keys (expires_at_ms);
"""
_FIND = (
    "SELECT body_hash, claimed_until_ms, answer, expires_at_ms FROM idempotency_keys WHERE key = ?"
)
_CLAIM = """
INSERT INTO idempotency_keys (key, body_hash, claim, claimed_until_ms, expires_at_ms)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, claim = excluded.claim,
    claimed_until_ms = excluded.claimed_until_ms, answer = NULL,
    expires_at_ms = excluded.expires_at_ms
"""
_FINISH = "UPDATE idempotency_keys SET answer = ? WHERE key = ? AND claim = ? AND answer IS NULL"
_RELEASE = "DELETE FROM idempotency_keys WHERE key = ? AND claim = ? AND answer IS NULL"
_FORGET = "DELETE FROM idempotency_keys WHERE expires_at_ms <= ?"


class SqliteIdempotencyStore(SqliteStore):
    """The idempotency store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, created when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def begin(
        self, key: str, *, body_hash: str, at_ms: int, until_ms: int, expires_at_ms: int
    ) -> Begun:
        """Begin a request; see `IdempotencyStore.begin`."""
        claim = secrets.token_hex(8)
        with self._lock, store_errors(self._path), transaction(self._connection):
            row = self._connection.execute(_FIND, (key,)).fetchone()
            if row is not None:
                answer = answer_of(key, KnownKey(*row), body_hash=body_hash, at_ms=at_ms)
                if answer is not None:
                    return Begun(answer, "")
            self._connection.execute(_CLAIM, (key, body_hash, claim, until_ms, expires_at_ms))
        return Begun(None, claim)

    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        """Store the answer; see `IdempotencyStore.finish`."""
        return self._write(_FINISH, answer, key, claim) == 1

    def release(self, key: str, claim: str) -> None:
        """Free the key; see `IdempotencyStore.release`."""
        self._write(_RELEASE, key, claim)

    def delete_expired(self, *, expired_at_ms: int) -> int:
        """Remove expired keys; see `IdempotencyStore.delete_expired`."""
        return self._write(_FORGET, expired_at_ms)
