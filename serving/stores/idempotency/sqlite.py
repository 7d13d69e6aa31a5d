"""The idempotency store: a request that is sent again gets the answer that was given.

The first request with a key begins, is answered, and finishes with its answer. Whoever comes with
the same key gets this answer; while the first is under way, or with another body, an error.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serving.stores.database import SqliteStore, explained, transaction
from serving.stores.errors import InProgressError, KeyReusedError

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


@dataclass(frozen=True, slots=True)
class Begun:
    """How a request with a key begins.

    Attributes:
        answer: The answer that was given to this request before; None: the caller is to answer.
        claim: What the caller shows to finish or release; empty when there is an answer.
    """

    answer: bytes | None
    claim: str


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What a store holds under a key.

    Attributes:
        body_hash: Of the first request.
        claimed_until_ms: Until when the first request may take.
        answer: Its answer, once finished.
        expires_at_ms: From then on the key is free again.
    """

    body_hash: str
    claimed_until_ms: int
    answer: bytes | None
    expires_at_ms: int


class IdempotencyStore(Protocol):
    """Answers by idempotency key. Times are milliseconds since the epoch, by the caller's clock."""

    def begin(
        self, key: str, *, body_hash: str, at_ms: int, until_ms: int, expires_at_ms: int
    ) -> Begun:
        """Return the answer given before, or make the caller the one who answers.

        Args:
            key: The idempotency key, with whatever tells callers apart.
            body_hash: Hash of the request, so that a key used for another one is noticed.
            at_ms: Now.
            until_ms: When the caller is taken for dead, and another may answer.
            expires_at_ms: When key and answer are forgotten.

        Raises:
            KeyReusedError: The key belongs to another request.
            InProgressError: Another caller is answering it.
            StoreError: The store cannot be used.
        """

    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        """Keep the answer; durable when it returns. False: the caller was taken for dead.

        Then another one answers, and what the caller has is not to be given.

        Raises:
            StoreError: The store cannot be written.
        """

    def release(self, key: str, claim: str) -> None:
        """Free the key of a request that could not be answered, so that it may be sent again.

        Raises:
            StoreError: The store cannot be written.
        """

    def forget(self, *, expired_at_ms: int) -> int:
        """Remove keys that expired by an instant; return how many (0 where the store does so).

        Raises:
            StoreError: The store cannot be written.
        """


class SqliteIdempotencyStore(SqliteStore):
    """The idempotency store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, made when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def begin(
        self, key: str, *, body_hash: str, at_ms: int, until_ms: int, expires_at_ms: int
    ) -> Begun:
        """Begin a request; see `IdempotencyStore.begin`."""
        claim = secrets.token_hex(8)
        with self._lock, explained(self._path), transaction(self._connection):
            row = self._connection.execute(_FIND, (key,)).fetchone()
            if row is not None:
                answer = answer_of(key, KnownKey(*row), body_hash=body_hash, at_ms=at_ms)
                if answer is not None:
                    return Begun(answer, "")
            self._connection.execute(_CLAIM, (key, body_hash, claim, until_ms, expires_at_ms))
        return Begun(None, claim)

    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        """Keep the answer; see `IdempotencyStore.finish`."""
        return self._write(_FINISH, answer, key, claim) == 1

    def release(self, key: str, claim: str) -> None:
        """Free the key; see `IdempotencyStore.release`."""
        self._write(_RELEASE, key, claim)

    def forget(self, *, expired_at_ms: int) -> int:
        """Remove expired keys; see `IdempotencyStore.forget`."""
        return self._write(_FORGET, expired_at_ms)


def answer_of(key: str, known: KnownKey, *, body_hash: str, at_ms: int) -> bytes | None:
    """Return the answer for a request whose key is known; None when it may be answered anew.

    Raises:
        KeyReusedError: The key belongs to another request.
        InProgressError: Another caller is answering it.
    """
    if known.expires_at_ms <= at_ms:
        return None
    if known.body_hash != body_hash:
        raise KeyReusedError(
            f"The idempotency key '{key[:80]}' was used for another request: send a new key with "
            "every new request, and the same key only with the very same body."
        )
    if known.answer is None and known.claimed_until_ms > at_ms:
        raise InProgressError(
            f"The first request with the idempotency key '{key[:80]}' is still being answered: "
            "send this one again in a moment."
        )
    return known.answer
