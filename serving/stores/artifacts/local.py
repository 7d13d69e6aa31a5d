"""The artifact store: named, immutable or conditionally replaced objects.

Keys are plain relative names, and no key may be the folder of another. A write is atomic and
durable: after a crash an object is there whole, or not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from ontime_base.atomic_files import write_atomically
from serving.stores.errors import (
    ConflictError,
    InvalidKeyError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
            ConflictError: The object has another etag by now, or is gone; it is untouched.
        """

    def list(self, prefix: str) -> list[str]:
        """Return the keys that start with the prefix, sorted; empty when there are none."""


class FolderArtifactStore:
    """An artifact store in a local folder.

    Writers of any process take one lock file in turn; readers take none, for a file appears
    by a rename once it is complete and on disk.

    Args:
        root: The folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> StoredObject:
        """Return the object; see `ArtifactStore.get`."""
        try:
            body = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectNotFoundError(
                f"The artifact store {self._root} has no object '{key}': publish it first."
            ) from error
        except OSError as error:
            raise self._unusable(key, error) from error
        return StoredObject(body=body, etag=_etag(body))

    def create(self, key: str, body: bytes) -> str:
        """Store a new object; see `ArtifactStore.create`."""
        path = self._path(key)
        with self._one_writer(key):
            if path.exists():
                raise ObjectExistsError(
                    f"The artifact store already has an object '{key}', and it is never "
                    "overwritten: use a new name or version."
                )
            write_atomically(path, body)
        return _etag(body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace an object; see `ArtifactStore.replace`."""
        path = self._path(key)
        with self._one_writer(key):
            if not path.is_file() or _etag(path.read_bytes()) != etag:
                raise ConflictError(
                    f"The object '{key}' changed since it was read: read it again and decide anew."
                )
            write_atomically(path, body)
        return _etag(body)

    def list(self, prefix: str) -> list[str]:
        """Return the keys with this prefix; see `ArtifactStore.list`."""
        found: list[str] = []
        for folder, _, names in os.walk(self._root):
            base = Path(folder).relative_to(self._root)
            found += [(base / name).as_posix() for name in names if not name.startswith(".")]
        return sorted(key for key in found if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        require_key(key)
        return self._root / key

    @contextlib.contextmanager
    def _one_writer(self, key: str) -> Iterator[None]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / ".lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise self._unusable(key, error) from error

    def _unusable(self, key: str, error: OSError) -> StoreError:
        return StoreError(
            f"The artifact store {self._root} could not handle '{key}': {error.strerror}. "
            "Check the free space and the permissions of this folder."
        )


def open_artifact_store(uri: str, *, read_only: bool = False) -> ArtifactStore:
    """Return the artifact store at a path, a `file:` or an `s3:` URI.

    For S3, AWS's own settings name credentials, region and, if it is not AWS, the endpoint.

    Args:
        uri: Where it is.
        read_only: Whether it is only read, as by a server: in S3 that needs no boto3, whose import
            takes longer than a whole cold start may.

    Raises:
        StoreError: The URI has a scheme that no store is known for, or names no bucket.
    """
    parts = urlsplit(uri)
    if parts.scheme == "":
        return FolderArtifactStore(Path(uri))
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return FolderArtifactStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc and read_only:
        from serving.stores.artifacts.s3_signed import S3ArtifactReader  # noqa: PLC0415 - only where used

        return S3ArtifactReader(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "s3" and parts.netloc:
        from serving.stores.artifacts.s3 import S3ArtifactStore  # noqa: PLC0415 - boto3 takes 0.5 s

        return S3ArtifactStore(parts.netloc, parts.path.strip("/"))
    raise StoreError(
        f"No artifact store is known for '{uri}': give a folder, or a URI such as "
        "file:///srv/ontime/store or s3://bucket/ontime."
    )


def require_key(key: str) -> None:
    """Refuse what is not a key.

    Raises:
        InvalidKeyError: It is not a plain relative name.
    """
    if not _KEY.fullmatch(key):
        raise InvalidKeyError(
            f"'{key}' is not a key of an artifact store: use names of letters, digits and "
            "._=- joined by '/', none of them starting with a dot."
        )


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
