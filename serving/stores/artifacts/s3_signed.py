"""A read-only artifact store in S3: signed GETs, without boto3 (docs/adr/0016).

The pipeline writes with `serving.stores.artifacts.s3`.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
import time
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from serving.stores.artifacts.protocol import StoredObject, require_key
from serving.stores.aws.access import aws_access
from serving.stores.aws.client import signed_headers
from serving.stores.boundary import store_boundary
from serving.stores.errors import ObjectNotFoundError, StoreError

if TYPE_CHECKING:
    from serving.stores.aws.access import AwsAccess

_KEY: Final = re.compile(rb"<Key>([^<]*)</Key>")
_NEXT: Final = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")
_WHY: Final = re.compile(rb"<Code>([^<]*)</Code>")
_TRIES: Final = 4
_TIMEOUT_S: Final = 3.0
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


@store_boundary("The artifact store in S3")
class S3ArtifactReader:
    """Reads an artifact store in an S3 bucket, below a prefix; see `ArtifactStore`.

    May be used by several threads; they take turns on one connection.

    Args:
        bucket: The bucket.
        prefix: What all keys of this store start with in the bucket, without its last `/`.
        access: How S3 is reached; by default from the environment.
        keys_per_page: How many keys one request of a listing returns.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        access: AwsAccess | None = None,
        keys_per_page: int = 1000,
    ) -> None:
        self._access = access or aws_access("s3")
        self._root = f"{prefix}/" if prefix else ""
        self._keys_per_page = keys_per_page
        self._name = f"s3://{bucket}/{prefix}".rstrip("/")
        parts = urlsplit(self._access.endpoint)
        # AWS serves a bucket at a name of its own; its certificate does not cover names with dots.
        own_name = parts.netloc.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        own_name = own_name and "." not in bucket
        self._host = f"{bucket}.{parts.netloc}" if own_name else parts.netloc
        self._path = "/" if own_name else f"/{bucket}/"
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )(self._host, timeout=_TIMEOUT_S)
        self._lock = threading.Lock()

    def get(self, key: str) -> StoredObject:
        """Return the object; see `ArtifactStore.get`."""
        require_key(key)
        status, etag, body = self._read(quote(self._root + key, safe="/-_.~"), "")
        if status == http.client.NOT_FOUND and b"NoSuchKey" in body:
            raise ObjectNotFoundError(
                f"The artifact store {self._name} has no object '{key}': publish it first."
            )
        if status != http.client.OK:
            raise self._refused(key, status, body)
        return StoredObject(body=body, etag=etag)

    def list(self, prefix: str) -> list[str]:
        """Return the keys with this prefix, page by page; see `ArtifactStore.list`."""
        found: list[bytes] = []
        token = ""
        while True:
            parameters = {"list-type": "2", "prefix": self._root + prefix}
            parameters["max-keys"] = str(self._keys_per_page)
            if token:
                parameters["continuation-token"] = token
            query = urlencode(sorted(parameters.items()), quote_via=quote, safe="-_.~")
            status, _, body = self._read("", query)
            if status != http.client.OK:
                raise self._refused(prefix, status, body)
            found += _KEY.findall(body)
            more = _NEXT.search(body)
            if more is None:
                return sorted(key.decode()[len(self._root) :] for key in found)
            token = more.group(1).decode()

    def create(self, key: str, _body: bytes) -> NoReturn:
        """Refuse: nothing is written here."""
        raise self._read_only(key)

    def replace(self, key: str, _body: bytes, _etag: str) -> NoReturn:
        """Refuse: nothing is written here."""
        raise self._read_only(key)

    def _read(self, path: str, query: str) -> tuple[int, str, bytes]:
        """Return status, etag and body of a GET, with retries."""
        last: Exception | None = None
        for turn in range(_TRIES):
            if turn:
                time.sleep(0.05 * 2**turn)
            try:
                status, etag, body = self._once(self._path + path, query)
            except (OSError, http.client.HTTPException) as error:
                last = error
                continue
            if status < http.client.INTERNAL_SERVER_ERROR:
                return status, etag, body
            last = StoreError(f"status {status}")
        raise StoreError(
            f"The artifact store {self._name} could not be read in {_TRIES} tries ({last!r}): "
            "check the network, and that S3 can be reached."
        ) from last

    def _once(self, path: str, query: str) -> tuple[int, str, bytes]:
        headers = signed_headers(
            self._access,
            host=self._host,
            headers={"x-amz-content-sha256": _EMPTY},
            body=b"",
            at=time.time(),
            method="GET",
            path=path,
            query=query,
        )
        with self._lock:
            try:
                self._connection.request("GET", f"{path}?{query}".rstrip("?"), headers=headers)
                answer = self._connection.getresponse()
                return answer.status, answer.headers.get("etag", ""), answer.read()
            except BaseException:
                self._connection.close()  # it opens again at the next request
                raise

    def _refused(self, key: str, status: int, body: bytes) -> StoreError:
        why = _WHY.search(body)
        reason = why.group(1).decode() if why else "no reason given"
        return StoreError(
            f"The artifact store {self._name} could not handle '{key}' (status {status}, "
            f"{reason}). Check that the bucket exists and that the credentials may read it."
        )

    def _read_only(self, key: str) -> StoreError:
        return StoreError(
            f"'{key}' cannot be written: this process only reads {self._name}. Publish and promote "
            "with the pipeline."
        )
