"""The online store in DynamoDB: one item per entity key, read in one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.stores.aws.dynamodb import DynamoTable, packed, text, unpacked
from serving.stores.boundary import store_boundary
from serving.stores.errors import ConflictError
from serving.stores.online.protocol import OnlineItem, lost_race, new_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.stores.aws.dynamodb import Item


@store_boundary("The online store in DynamoDB")
class DynamoOnlineStore:
    """The online store in a DynamoDB table; may be used by several threads.

    Bodies are compressed; one that is larger than an item may be is refused with its key.

    Args:
        table: The table, keyed by `entity_key`.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._table.close()

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist; see `OnlineStore.get_many`."""
        found = self._table.get_many(_each_once(keys), consistent=False)
        return {item["entity_key"]["S"]: unpacked(item["body"]) for item in found}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items; see `OnlineStore.put_many`."""
        tag = new_tag()
        self._table.put_many([_item(key, body, tag) for key, body in items.items()])

    def read_many(self, keys: Iterable[str]) -> dict[str, OnlineItem]:
        """Return the items with their tags; see `OnlineStore.read_many`."""
        return {
            item["entity_key"]["S"]: OnlineItem(unpacked(item["body"]), item["tag"]["S"])
            for item in self._table.get_many(_each_once(keys), consistent=True)
        }

    def replace(self, key: str, body: bytes, *, tag: str | None) -> str:
        """Replace the item that has this tag; see `OnlineStore.replace`."""
        new = new_tag()
        put: dict[str, object] = {
            "Item": _item(key, body, new),
            "ExpressionAttributeNames": {"#tag": "tag"},
        }
        if tag is None:
            put["ConditionExpression"] = "attribute_not_exists(#tag)"
            done, found = self._table.write_if("PutItem", put)
        else:
            put["ConditionExpression"] = "#tag = :seen"
            done, found = self._table.write_if("PutItem", put, seen=text(tag))
        if not done and found.get("tag") != text(new):  # else our own try, its answer lost
            raise lost_race(key)
        return new

    def replace_many(self, changes: Mapping[str, tuple[bytes, str | None]]) -> set[str]:
        """Replace each item that has its tag, one by one; see `OnlineStore.replace_many`."""
        lost = set()
        for key, (body, tag) in changes.items():
            try:
                self.replace(key, body, tag=tag)
            except ConflictError:
                lost.add(key)
        return lost


def _item(key: str, body: bytes, tag: str) -> Item:
    return {
        "entity_key": text(key),
        "body": packed(body, f"The online item '{key}'"),
        "tag": text(tag),
    }


def _each_once(keys: Iterable[str]) -> list[Item]:
    return [{"entity_key": text(key)} for key in dict.fromkeys(keys)]
