"""The artifact store: objects by key, created once or replaced conditionally.

Keys are plain relative names, and no key is a prefix folder of another. A write is atomic and
durable: after a crash an object is complete, or absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from serving.stores.errors import InvalidKeyError

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]*(/[A-Za-z0-9_][A-Za-z0-9._=-]*)*")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as read: its bytes, and the tag that a conditional replace names.

    Attributes:
        body: The bytes.
        etag: Changes whenever the bytes change; means nothing else.
    """

    body: bytes
    etag: str


class ArtifactStore(Protocol):
    """Objects by key: created once, or replaced only by who has seen the latest."""

    def get(self, key: str) -> StoredObject:
        """Return the object.

        Raises:
            ObjectNotFoundError: There is none.
        """

    def create(self, key: str, body: bytes) -> str:
        """Store a new object and return its etag.

        Raises:
            ObjectExistsError: The key is taken; the object there is untouched.
        """

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object that has this etag and return the new etag.

        Raises:
            ConflictError: The object has another etag by now, or was deleted; nothing is changed.
        """

    def list(self, prefix: str) -> list[str]:
        """Return the keys that start with the prefix, sorted; empty when there are none."""


def require_key(key: str) -> None:
    """Raise if a text is not a valid key.

    Raises:
        InvalidKeyError: It is not a plain relative name.
    """
    if not _KEY.fullmatch(key):
        raise InvalidKeyError(
            f"'{key}' is not a key of an artifact store: use names of letters, digits and "
            "._=- joined by '/', none of them starting with a dot."
        )
