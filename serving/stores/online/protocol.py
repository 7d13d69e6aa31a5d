"""The online store: the items that features are computed from, one per entity key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serving.stores.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class OnlineItem:
    """An item as read; its tag makes a conditional replace possible.

    Attributes:
        body: The bytes.
        tag: Changes with every write of the item; means nothing else.
    """

    body: bytes
    tag: str


class OnlineItems(Protocol):
    """The read-only side of the online store: items of bytes by entity key."""

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the items that exist, in one batched read; a key without an item is left out.

        Eventually consistent: a recent write may not be visible yet.

        Raises:
            StoreError: The store cannot be read.
        """


class OnlineStore(OnlineItems, Protocol):
    """Items of bytes by entity key, such as `origin=JFK`. The bytes are opaque."""

    def close(self) -> None:
        """Close files and connections."""

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store the items, each replacing the one of its key; durable when it returns.

        Raises:
            StoreError: The store cannot be written, or an item is larger than it takes. Some of
                the items may be stored: put them again.
        """

    def read_many(self, keys: Iterable[str]) -> dict[str, OnlineItem]:
        """Return the items that exist, as last written, with their tags.

        Raises:
            StoreError: The store cannot be read.
        """

    def replace(self, key: str, body: bytes, *, tag: str | None) -> str:
        """Replace the item that has this tag and return its new tag.

        Several may update one key so: read, change, replace; and all of it again on a conflict.

        Args:
            key: The entity key.
            body: The new bytes.
            tag: As read; None when there was no item.

        Raises:
            ConflictError: Another writer changed the item since; it is untouched.
            StoreError: The store cannot be written, or the item is larger than it takes.
        """

    def replace_many(self, changes: Mapping[str, tuple[bytes, str | None]]) -> set[str]:
        """Replace each item that has its tag; return the keys of those that another writer changed.

        Args:
            changes: By key the new bytes, and the tag as read; None when there was no item.

        Raises:
            StoreError: The store cannot be written, or an item is larger than it takes. Some of
                the items may be replaced: read them again.
        """


def new_tag() -> str:
    """Return a new unique tag."""
    return secrets.token_hex(8)


def lost_race(key: str) -> ConflictError:
    """Return the error for a replace of an item that another writer changed first."""
    return ConflictError(
        f"The online item '{key}' changed since it was read: read it again and decide again."
    )
