"""The artifact store in an S3 bucket: conditional writes make one writer win.

The only module of serving that needs boto3; a local service does not import it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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

_CONFIG: Final = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    tcp_keepalive=True,
)
_REFUSED: Final = frozenset({"PreconditionFailed", "412"})
_GONE: Final = frozenset({"NoSuchKey", "404"})
_CONCURRENT: Final = "ConditionalRequestConflict"
_TRIES: Final = 5


@store_boundary("The artifact store in S3")
class S3ArtifactStore:
    """An artifact store in an S3 bucket, below a prefix; see `ArtifactStore`.

    An etag is S3's own. Several processes and machines may write: S3 decides who was first.

    Args:
        bucket: The bucket; it is never made here.
        prefix: What all keys of this store start with in the bucket, without its last `/`.
        keys_per_page: How many keys one request of a listing returns.
    """

    def __init__(self, bucket: str, prefix: str = "", *, keys_per_page: int = 1000) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._keys_per_page = keys_per_page
        with self._store_errors(""):
            self._s3: Any = boto3.client("s3", config=_CONFIG)

    def get(self, key: str) -> StoredObject:
        """Return the object; see `ArtifactStore.get`."""
        require_key(key)
        with self._store_errors(key):
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=self._root + key)
                return StoredObject(body=found["Body"].read(), etag=found["ETag"])
            except ClientError as error:
                if _code(error) in _GONE:
                    raise ObjectNotFoundError(
                        f"The artifact store {self._name} has no object '{key}': publish it first."
                    ) from error
                raise

    def create(self, key: str, body: bytes) -> str:
        """Store a new object; see `ArtifactStore.create`."""
        etag = self._put(key, body, IfNoneMatch="*")
        if etag is None:
            raise ObjectExistsError(
                f"The artifact store already has an object '{key}', and it is never "
                "overwritten: use a new name or version."
            )
        return etag

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace an object; see `ArtifactStore.replace`."""
        new = self._put(key, body, IfMatch=etag)
        if new is None:
            raise ConflictError(
                f"The object '{key}' changed since it was read: read it again and decide again."
            )
        return new

    def list(self, prefix: str) -> list[str]:
        """Return the keys with this prefix, page by page; see `ArtifactStore.list`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._root + prefix,
            PaginationConfig={"PageSize": self._keys_per_page},
        )
        with self._store_errors(prefix):
            found = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return sorted(key[len(self._root) :] for key in found)

    def _put(self, key: str, body: bytes, **condition: str) -> str | None:
        """Write under a condition; return the new etag, or None when the condition does not hold.

        S3 answers 409 to concurrent writes, whose outcome is unknown: these are retried.
        """
        require_key(key)
        with self._store_errors(key):
            for turn in range(_TRIES):
                try:
                    answer = self._s3.put_object(
                        Bucket=self._bucket, Key=self._root + key, Body=body, **condition
                    )
                    return str(answer["ETag"])
                except ClientError as error:
                    if _code(error) in _REFUSED | _GONE:
                        return self._own_earlier_attempt(key, body, error)
                    if _code(error) != _CONCURRENT or turn == _TRIES - 1:
                        raise
                time.sleep(0.05 * 2**turn)
        raise AssertionError(key)  # the last turn returned or raised

    def _own_earlier_attempt(self, key: str, body: bytes, refusal: ClientError) -> str | None:
        """Return the etag that an earlier attempt of the same request wrote; else None.

        When the answer to a write is lost, boto3 retries it, and S3 refuses the second attempt.
        """
        if refusal.response["ResponseMetadata"].get("RetryAttempts", 0) == 0:
            return None
        try:
            there = self.get(key)
        except ObjectNotFoundError:
            return None
        return there.etag if there.body == body else None

    @property
    def _name(self) -> str:
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    @contextlib.contextmanager
    def _store_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise StoreError(
                f"The artifact store {self._name} could not handle '{key}': {error}. Check that "
                "the bucket exists, that the credentials may use it, and that AWS can be reached."
            ) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
