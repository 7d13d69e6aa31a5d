"""Idempotency keys: a request that is sent again gets the stored reply of the first one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from serving.schema.problems import (
    FieldProblem,
    InvalidRequestError,
    KeyInUseError,
    KeyReusedProblemError,
    StoreUnavailableError,
)
from serving.stores.errors import InProgressError, KeyReusedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.stores.idempotency.protocol import IdempotencyStore

HEADER: Final = b"idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_CLAIM_MS: Final = 30_000
_MS_PER_HOUR: Final = 3_600_000


class SavedReply(msgspec.Struct, frozen=True, array_like=True):
    """A reply as it is stored."""

    status: int
    media_type: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer the request with a key; `finish` or `release` must follow.

    Attributes:
        key: The key in the store.
        token: Proves the claim to the store.
    """

    key: str
    token: str


class Idempotency:
    """Stores one reply per key.

    Args:
        store: Holds replies by key.
        hours: How long a reply is stored.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, store: IdempotencyStore, *, hours: float, clock: Callable[[], int]) -> None:
        self._store = store
        self._hours = hours
        self._clock = clock

    def begin(self, key: str, *, scope: str, content: bytes) -> SavedReply | Claim:
        """Return the stored reply to this request, or the claim to answer it.

        Args:
            key: As the caller sent it.
            scope: Caller and path; the same key in another scope is another key.
            content: Everything else that identifies the request.

        Raises:
            ProblemError: The key is not valid, belongs to another request or to one in progress, or
                the store cannot be used.
        """
        if not _KEY.fullmatch(key):
            fix = "Send 1 to 128 visible ASCII characters, such as a UUID."
            raise InvalidRequestError([FieldProblem("Idempotency-Key", "It cannot be a key.", fix)])
        now = self._clock()
        try:
            begun = self._store.begin(
                f"{scope}|{key}",
                body_hash=hashlib.sha256(content).hexdigest(),
                at_ms=now,
                until_ms=now + _CLAIM_MS,
                expires_at_ms=now + int(self._hours * _MS_PER_HOUR),
            )
        except KeyReusedError as error:
            raise KeyReusedProblemError(
                "The header Idempotency-Key was sent with another request before: send a new key "
                "with every new request."
            ) from error
        except InProgressError as error:
            raise KeyInUseError(
                "The first request with this Idempotency-Key is still being answered: send this "
                "one again in a moment.",
                headers=((b"retry-after", b"1"),),
            ) from error
        except StoreError as error:
            raise StoreUnavailableError(str(error)) from error
        if begun.answer is not None:
            return msgspec.msgpack.decode(begun.answer, type=SavedReply)
        return Claim(f"{scope}|{key}", begun.claim)

    def finish(self, claim: Claim, reply: SavedReply) -> None:
        """Store the reply; it is durable when this returns.

        Raises:
            KeyInUseError: The claim expired and another request took it over.
            StoreUnavailableError: The store cannot be written.
        """
        try:
            ours = self._store.finish(claim.key, claim.token, msgspec.msgpack.encode(reply))
        except StoreError as error:
            raise StoreUnavailableError(str(error)) from error
        if not ours:
            raise KeyInUseError("Another request with this Idempotency-Key is being answered.")

    def release(self, claim: Claim) -> None:
        """Free the key of a request that failed, so that it can be sent again."""
        try:
            self._store.release(claim.key, claim.token)
        except StoreError:
            return  # the claim expires by itself

    def delete_expired(self) -> None:
        """Delete expired keys."""
        self._store.delete_expired(expired_at_ms=self._clock())
