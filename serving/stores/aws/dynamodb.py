"""A DynamoDB table through the small client: items, batches, conditions, ranges; never a scan."""

from __future__ import annotations

import base64
import random
import time
import zlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from serving.stores.aws.client import AwsClient, AwsError
from serving.stores.errors import ItemTooLargeError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Item: TypeAlias = "Mapping[str, Mapping[str, str]]"
"""An item as DynamoDB writes it: `{"flight_id": {"S": "UA-1"}}`."""

_MOST_READ: Final = 100
_MOST_WRITTEN: Final = 25
_ROUNDS: Final = 8
_LARGEST_BODY: Final = 390_000  # DynamoDB takes 400 KB with names and keys
_WORTH_PACKING: Final = 512
_PLAIN: Final = b"\x00"
_PACKED: Final = b"\x01"
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class DynamoTable:
    """One table; may be used by several threads.

    Args:
        client: Calls DynamoDB.
        name: The table.
    """

    def __init__(self, client: AwsClient, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: Item) -> Item | None:
        """Return an item as last written, or None."""
        found = self._call("GetItem", {"Key": key, "ConsistentRead": True})
        return found.get("Item")

    def get_many(self, keys: Iterable[Item], *, consistent: bool) -> list[Item]:
        """Return the items that exist, in any order, by one read for every 100 keys.

        Args:
            keys: Keys, each once.
            consistent: As last written; else at half the price and perhaps a moment old.
        """
        wanted = list(keys)
        found: list[Item] = []
        for start in range(0, len(wanted), _MOST_READ):
            ask: dict[str, Any] = {
                self.name: {
                    "Keys": wanted[start : start + _MOST_READ],
                    "ConsistentRead": consistent,
                }
            }
            for _ in _rounds(f"reading {self.name}"):
                answer = self._client.call("BatchGetItem", {"RequestItems": ask})
                found += answer["Responses"].get(self.name, ())
                ask = answer.get("UnprocessedKeys") or {}
                if not ask:
                    break
        return found

    def put_many(self, items: Sequence[Item]) -> None:
        """Write items, each replacing the one of its key, 25 at a time; durable when it returns."""
        for start in range(0, len(items), _MOST_WRITTEN):
            puts = [{"PutRequest": {"Item": item}} for item in items[start : start + _MOST_WRITTEN]]
            ask: dict[str, Any] = {self.name: puts}
            for _ in _rounds(f"writing {self.name}"):
                answer = self._client.call("BatchWriteItem", {"RequestItems": ask})
                ask = answer.get("UnprocessedItems") or {}
                if not ask:
                    break

    def write_if(
        self, operation: str, request: Mapping[str, object], **values: Mapping[str, str]
    ) -> tuple[bool, Item]:
        """Write one item under a condition.

        Returns:
            Whether the condition held, and the item: as written where the request asks for it, or
            as found when the condition failed (empty when there is none).

        Args:
            operation: `PutItem`, `UpdateItem` or `DeleteItem`.
            request: What it takes, `ConditionExpression` included.
            **values: Values of the expressions, without their colon.
        """
        named = {f":{name}": value for name, value in values.items()}
        ask = {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if named:
            ask["ExpressionAttributeValues"] = named
        try:
            return True, self._call(operation, ask).get("Attributes") or {}
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
                raise
            return False, error.answer.get("Item") or {}

    def query(
        self, partition: tuple[str, str, str], between: tuple[str, str, str], *, most: int
    ) -> list[Item]:
        """Return the last items of a range of an index, the highest sort key first.

        Args:
            partition: The index, name and value of its partition key.
            between: Name of its sort key, the least value, and the value that all are before.
            most: The most items to return.
        """
        index, name, value = partition
        sort, low, high = between
        found: list[Item] = []
        ask: dict[str, object] = {
            "IndexName": index,
            "KeyConditionExpression": "#partition = :value AND #sort BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#partition": name, "#sort": sort},
            "ExpressionAttributeValues": {
                ":value": text(value),
                ":low": text(low),
                ":high": text(high),
            },
            "ScanIndexForward": False,
        }
        if low >= high:
            return found
        while len(found) < most:
            # DynamoDB has no range without its end: one more, for the item at the end itself.
            answer = self._call("Query", {**ask, "Limit": most - len(found) + 1})
            found += [item for item in answer["Items"] if item[sort]["S"] != high]
            if not (last := answer.get("LastEvaluatedKey")):
                break
            ask["ExclusiveStartKey"] = last
        return found[:most]

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._client.close()

    def _call(self, operation: str, request: Mapping[str, object]) -> dict[str, Any]:
        return self._client.call(operation, {"TableName": self.name, **request})


def text(value: str) -> Mapping[str, str]:
    """Return a string as an attribute."""
    return {"S": value}


def number(value: int) -> Mapping[str, str]:
    """Return a whole number as an attribute."""
    return {"N": str(value)}


def packed(body: bytes, what: str) -> Mapping[str, str]:
    """Return bytes as an attribute, compressed where that saves something.

    Args:
        body: The bytes.
        what: Names them in the error.

    Raises:
        ItemTooLargeError: Even compressed they are larger than an item may be.
    """
    if len(body) >= _WORTH_PACKING and len(small := zlib.compress(body, 1)) < len(body):
        stored = _PACKED + small
    else:
        stored = _PLAIN + body
    if len(stored) > _LARGEST_BODY:
        raise ItemTooLargeError(
            f"{what} has {len(stored)} bytes when compressed, and an item of DynamoDB takes "
            f"{_LARGEST_BODY}: split it into several keys."
        )
    return {"B": base64.b64encode(stored).decode()}


def unpacked(attribute: Mapping[str, str]) -> bytes:
    """Return the bytes of an attribute that `packed` made."""
    stored = base64.b64decode(attribute["B"])
    return zlib.decompress(stored[1:]) if stored[:1] == _PACKED else stored[1:]


def _rounds(what: str) -> Iterator[int]:
    """Count the rounds of a batch, with pauses: DynamoDB returns unprocessed items.

    Raises:
        StoreError: Too many rounds left something over.
    """
    for turn in range(_ROUNDS):
        if turn:
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**turn)))  # noqa: S311 - only jitter
        yield turn
    raise StoreError(f"DynamoDB was too busy for {what}, {_ROUNDS} times in a row: try later.")
