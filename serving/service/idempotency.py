"""A request that is sent again with the same key gets the answer that was given, byte for byte."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from serving.http.messages import Reply
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

    from serving.http.messages import Request
    from serving.stores.idempotency.protocol import IdempotencyStore

HEADER: Final = b"idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_CLAIM_MS: Final = 30_000
_MS_PER_HOUR: Final = 3_600_000


class _Kept(msgspec.Struct, array_like=True):
    """A reply as it is kept."""

    status: int
    media_type: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Idempotency:
    """Answers requests with a key once.

    Args:
        store: Where answers are kept by key.
        hours: How long.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, store: IdempotencyStore, *, hours: float, clock: Callable[[], int]) -> None:
        self._store = store
        self._hours = hours
        self._clock = clock

    def once(self, request: Request, answer: Callable[[], Reply]) -> Reply:
        """Return the reply given to this request before, or let it be answered and keep the reply.

        A request that fails frees its key. Keys of different callers and paths are different.

        Raises:
            ProblemError: The key cannot be, belongs to another request or to one under way, or the
                store cannot be used; or what `answer` raises.
        """
        key = _key(request)
        now = self._clock()
        try:
            begun = self._store.begin(
                key,
                body_hash=_hash(request),
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
            kept = msgspec.msgpack.decode(begun.answer, type=_Kept)
            return Reply(kept.body, kept.status, kept.media_type, tuple(kept.headers))
        return self._answered(key, begun.claim, answer)

    def _answered(self, key: str, claim: str, answer: Callable[[], Reply]) -> Reply:
        try:
            reply = answer()
        except Exception:
            self._release(key, claim)
            raise
        kept = _Kept(reply.status, reply.media_type, list(reply.headers), reply.body)
        try:
            ours = self._store.finish(key, claim, msgspec.msgpack.encode(kept))
        except StoreError as error:
            raise StoreUnavailableError(str(error)) from error
        if not ours:
            raise KeyInUseError("Another request with this Idempotency-Key is being answered.")
        return reply

    def _release(self, key: str, claim: str) -> None:
        try:
            self._store.release(key, claim)
        except StoreError:
            return  # its claim ends by itself

    def forget_expired(self) -> None:
        """Remove keys whose time is over."""
        self._store.forget(expired_at_ms=self._clock())


def _key(request: Request) -> str:
    given = request.header(HEADER)
    if not _KEY.fullmatch(given):
        fix = "Send 1 to 128 visible ASCII characters, such as a UUID."
        raise InvalidRequestError([FieldProblem("Idempotency-Key", "It cannot be a key.", fix)])
    return f"{request.caller}|{request.name}|{given}"


def _hash(request: Request) -> str:
    whole = request.query.encode() + b"\n" + request.body
    return hashlib.sha256(whole).hexdigest()
