"""The idempotency store: a repeated request gets the answer of the first one.

The first request with a key claims it and stores its answer. A request with the same key gets that
answer; while the first is in progress, or with another body, it gets an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from serving.stores.errors import InProgressError, KeyReusedError


@dataclass(frozen=True, slots=True)
class Begun:
    """The outcome of beginning a request with a key.

    Attributes:
        answer: The answer that was given to this request before; None: the caller is to answer.
        claim: What the caller shows to finish or release; empty when there is an answer.
    """

    answer: bytes | None
    claim: str


@dataclass(frozen=True, slots=True)
class KnownKey:
    """The stored state of a key.

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
        """Return the answer given before, or give the caller the claim to answer.

        Args:
            key: The idempotency key, prefixed by caller and path.
            body_hash: Hash of the request, so that a key used for another one is noticed.
            at_ms: Now.
            until_ms: When the claim expires and another caller may answer.
            expires_at_ms: When key and answer expire.

        Raises:
            KeyReusedError: The key belongs to another request.
            InProgressError: Another caller is answering it.
            StoreError: The store cannot be used.
        """

    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        """Store the answer; durable when it returns. False: the claim has expired.

        Then another caller answers, and this answer must not be sent.

        Raises:
            StoreError: The store cannot be written.
        """

    def release(self, key: str, claim: str) -> None:
        """Free the key of a request that could not be answered, so that it may be sent again.

        Raises:
            StoreError: The store cannot be written.
        """

    def delete_expired(self, *, expired_at_ms: int) -> int:
        """Remove keys that expired by an instant; return how many (0 where the store does so).

        Raises:
            StoreError: The store cannot be written.
        """


def answer_of(key: str, known: KnownKey, *, body_hash: str, at_ms: int) -> bytes | None:
    """Return the answer for a request whose key is known; None when it may be answered again.

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
