"""Source files in S3, with credentials, region and endpoint from the usual AWS environment.

`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (or `AWS_PROFILE`, or a role), `AWS_REGION`, and
`AWS_ENDPOINT_URL` for a store that is not AWS's own.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLIENT: Final = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}
)
_IN_MEMORY_BYTES: Final = 64 << 20
_NO_BUCKET: Final = "NoSuchBucket"
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_DENIED: Final = frozenset({"AccessDenied", "403", "Forbidden"})


class S3FileSystem:
    """The objects of all buckets; a path is `bucket/key`, and a folder is a prefix up to a `/`.

    Args:
        keys_per_page: How many keys one request of a listing returns.
    """

    def __init__(self, *, keys_per_page: int = 1000) -> None:
        self._page = {"PageSize": keys_per_page}
        with _s3_errors(""):
            self._s3: Any = boto3.Session().client("s3", config=_CLIENT)

    def is_file(self, path: str) -> bool:
        """Return whether there is an object."""
        bucket, key = _split(path)
        if not key or key.endswith("/"):
            return False
        with _s3_errors(bucket):
            try:
                self._s3.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the paths of the objects right below a prefix."""
        bucket, prefix = _split(folder)
        prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        pages = self._s3.get_paginator("list_objects_v2")
        with _s3_errors(bucket):
            for page in pages.paginate(
                Bucket=bucket, Prefix=prefix, Delimiter="/", PaginationConfig=self._page
            ):
                for found in page.get("Contents", ()):
                    if found["Key"] != prefix:
                        yield f"{bucket}/{found['Key']}"

    def open(self, path: str) -> IO[bytes]:
        """Return an object's bytes, read once; a large one is on the disk while it is open."""
        bucket, key = _split(path)
        body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
        with _s3_errors(bucket):
            self._s3.download_fileobj(bucket, key, body)
        body.seek(0)
        return cast("IO[bytes]", body)


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.partition("/")
    return bucket, key


@contextmanager
def _s3_errors(bucket: str) -> Iterator[None]:
    """Convert errors of AWS to an OSError that names the correction."""
    try:
        yield
    except NoCredentialsError as error:
        raise _error(
            "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or AWS_PROFILE"
        ) from error
    except ClientError as error:
        raise _error(_describe(error, bucket)) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is no URL
        raise _error(
            f"S3 does not answer ({error}): check AWS_ENDPOINT_URL, AWS_REGION and the network"
        ) from error


def _describe(error: ClientError, bucket: str) -> str:
    code = _code(error)
    if code == _NO_BUCKET:
        return f"there is no bucket {bucket}: correct `sources` in conf/, or check AWS_ENDPOINT_URL"
    if code in _DENIED:
        return (
            f"S3 denies access ({code}): the credentials may not list and read the bucket {bucket} "
            "(s3:ListBucket, s3:GetObject)"
        )
    return f"S3 reports {code}: {error.response.get('Error', {}).get('Message', error)}"


def _error(sentence: str) -> OSError:
    error = OSError(sentence)
    error.strerror = sentence
    return error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
