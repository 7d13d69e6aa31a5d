"""The idempotency store in DynamoDB: the first conditional write of a key gets the claim."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from serving.stores.aws.dynamodb import DynamoTable, number, packed, text, unpacked
from serving.stores.boundary import store_boundary
from serving.stores.definitions import EXPIRES_AT
from serving.stores.idempotency.protocol import Begun, KnownKey, answer_of

if TYPE_CHECKING:
    from serving.stores.aws.dynamodb import Item

_FREE: Final = (
    "attribute_not_exists(idempotency_key) OR expires_at_ms <= :now OR "
    "(attribute_not_exists(answer) AND claimed_until_ms <= :now AND body_hash = :hash)"
)
_OURS: Final = "claim = :claim AND attribute_not_exists(answer)"


@store_boundary("The store of idempotency keys in DynamoDB")
class DynamoIdempotencyStore:
    """The idempotency store in a DynamoDB table; may be used by several threads.

    Args:
        table: The table, keyed by `idempotency_key`.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def begin(
        self, key: str, *, body_hash: str, at_ms: int, until_ms: int, expires_at_ms: int
    ) -> Begun:
        """Begin a request; see `IdempotencyStore.begin`."""
        claim = secrets.token_hex(8)
        item = {
            "idempotency_key": text(key),
            "body_hash": text(body_hash),
            "claim": text(claim),
            "claimed_until_ms": number(until_ms),
            "expires_at_ms": number(expires_at_ms),
            EXPIRES_AT: number(-(-expires_at_ms // 1000)),
        }
        put = {"Item": item, "ConditionExpression": _FREE}
        while True:
            done, found = self._table.write_if(
                "PutItem", put, now=number(at_ms), hash=text(body_hash)
            )
            if done or found.get("claim") == text(claim):  # the latter: our try, its answer lost
                return Begun(None, claim)
            if found:
                answer = answer_of(key, _known(found), body_hash=body_hash, at_ms=at_ms)
                if answer is not None:
                    return Begun(answer, "")

    def finish(self, key: str, claim: str, answer: bytes) -> bool:
        """Store the answer; see `IdempotencyStore.finish`."""
        stored = packed(answer, f"The answer to the request with idempotency key '{key}'")
        update = {
            "Key": {"idempotency_key": text(key)},
            "UpdateExpression": "SET answer = :answer",
            "ConditionExpression": _OURS,
        }
        done, found = self._table.write_if("UpdateItem", update, claim=text(claim), answer=stored)
        return done or (found.get("claim") == text(claim) and found.get("answer") == stored)

    def release(self, key: str, claim: str) -> None:
        """Free the key; see `IdempotencyStore.release`."""
        delete = {"Key": {"idempotency_key": text(key)}, "ConditionExpression": _OURS}
        self._table.write_if("DeleteItem", delete, claim=text(claim))

    def delete_expired(self, *, expired_at_ms: int) -> int:
        """Do nothing: DynamoDB removes what has expired, by its time to live."""
        del expired_at_ms
        return 0


def _known(item: Item) -> KnownKey:
    return KnownKey(
        body_hash=item["body_hash"]["S"],
        claimed_until_ms=int(item["claimed_until_ms"]["N"]),
        answer=unpacked(item["answer"]) if "answer" in item else None,
        expires_at_ms=int(item["expires_at_ms"]["N"]),
    )
