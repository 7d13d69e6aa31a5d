"""The artifact store in a local folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ontime_base.atomic_files import write_atomically
from serving.stores.artifacts.protocol import StoredObject, require_key
from serving.stores.boundary import store_boundary
from serving.stores.errors import (
    ConflictError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@store_boundary("The artifact store")
class FolderArtifactStore:
    """An artifact store in a local folder.

    Writers of any process take one lock file in turn; readers take none, for a file appears
    by a rename once it is complete and on disk.

    Args:
        root: The folder; created at the first write.
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
                    f"The object '{key}' changed since it was read: read it again and decide again."
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


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
