"""Opens the configured stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.errors import StoreError
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.idempotency.sqlite import SqliteIdempotencyStore
from serving.stores.jobs.sqlite import SqliteJobStore
from serving.stores.online.cache import OnlineCache
from serving.stores.online.circuit_breaker import OnlineCircuitBreaker
from serving.stores.online.sqlite import SqliteOnlineStore
from serving.stores.queue.sqlite import SqliteQueue

if TYPE_CHECKING:
    from serving.settings import StoreSettings
    from serving.stores.artifacts.protocol import ArtifactStore
    from serving.stores.aws.dynamodb import DynamoTable
    from serving.stores.history.protocol import PredictionHistory
    from serving.stores.idempotency.protocol import IdempotencyStore
    from serving.stores.jobs.protocol import JobStore
    from serving.stores.online.protocol import OnlineItems, OnlineStore
    from serving.stores.queue.aws import SqsQueue
    from serving.stores.queue.protocol import Queue

_HISTORY_BUSY_MS = 500  # a history that is busy for longer is slow: its records wait elsewhere
_MOST_RECEIVES = 5


@dataclass(frozen=True, slots=True)
class JobStores:
    """The stores for asynchronous and repeated requests.

    Attributes:
        jobs: Asynchronous requests and their results.
        keys: Answers by idempotency key.
    """

    jobs: JobStore
    keys: IdempotencyStore


def open_history(options: StoreSettings, home: Path) -> PredictionHistory:
    """Return the prediction history.

    Raises:
        StoreError: It cannot be opened.
    """
    if options.history == "dynamodb":
        from serving.stores.definitions import PREDICTIONS  # noqa: PLC0415 - only where used
        from serving.stores.history.aws import DynamoPredictionHistory  # noqa: PLC0415 - the same

        table = _table(options, PREDICTIONS, tries=2, timeout_seconds=0.5)
        return DynamoPredictionHistory(table, retention_days=options.retention_days)
    return SqlitePredictionHistory(home / "serving.db", busy_ms=_HISTORY_BUSY_MS)


def open_online_store(options: StoreSettings, home: Path) -> OnlineStore:
    """Return the online store.

    Raises:
        StoreError: It cannot be opened.
    """
    if options.online == "dynamodb":
        from serving.stores.definitions import ONLINE  # noqa: PLC0415 - only where used
        from serving.stores.online.aws import DynamoOnlineStore  # noqa: PLC0415 - the same

        return DynamoOnlineStore(_table(options, ONLINE))
    return SqliteOnlineStore(home / "serving.db")


def open_online_items(options: StoreSettings, home: Path) -> OnlineItems:
    """Return the online store as requests read it.

    A SQLite file is cached in memory; DynamoDB has a circuit breaker.

    Raises:
        StoreError: It cannot be opened.
    """
    if options.online == "dynamodb":
        from serving.stores.definitions import ONLINE  # noqa: PLC0415 - only where used
        from serving.stores.online.aws import DynamoOnlineStore  # noqa: PLC0415 - the same

        return OnlineCircuitBreaker(
            DynamoOnlineStore(_table(options, ONLINE, tries=2, timeout_seconds=0.3))
        )
    file = home / "serving.db"
    return OnlineCache(SqliteOnlineStore(file), file)


def open_job_stores(options: StoreSettings, home: Path) -> JobStores:
    """Return the stores of jobs and of idempotency keys.

    Raises:
        StoreError: They cannot be opened.
    """
    if options.jobs == "dynamodb":
        from serving.stores.definitions import IDEMPOTENCY, JOBS  # noqa: PLC0415 - where used
        from serving.stores.idempotency.aws import DynamoIdempotencyStore  # noqa: PLC0415 - same
        from serving.stores.jobs.aws import DynamoJobStore  # noqa: PLC0415 - the same

        return JobStores(
            DynamoJobStore(_table(options, JOBS)),
            DynamoIdempotencyStore(_table(options, IDEMPOTENCY)),
        )
    file = _work_file(home)
    return JobStores(SqliteJobStore(file), SqliteIdempotencyStore(file))


def open_queue(
    options: StoreSettings, home: Path, name: Literal["jobs", "events", "records"]
) -> Queue:
    """Return a queue: of asynchronous jobs, of events, or of predictions for the history.

    Raises:
        StoreError: It cannot be opened.
    """
    if options.queue == "sqs":
        return open_sqs_queue(options, name)
    return SqliteQueue(_work_file(home), name, most_receives=_MOST_RECEIVES)


def open_sqs_queue(options: StoreSettings, name: str) -> SqsQueue:
    """Return a queue in SQS.

    Raises:
        StoreError: Region or credentials are missing.
    """
    from serving.stores.aws.access import aws_access  # noqa: PLC0415 - the same
    from serving.stores.aws.client import AwsClient  # noqa: PLC0415 - only where used
    from serving.stores.queue.aws import SqsQueue  # noqa: PLC0415 - the same

    return SqsQueue(AwsClient(aws_access("sqs")), f"{options.prefix}-{name}")


def _work_file(home: Path) -> Path:
    """Return the file of jobs, keys and queues: apart, so that predictions do not wait for them."""
    return home / "work.db"


def _table(
    options: StoreSettings, name: str, *, tries: int = 4, timeout_seconds: float = 2.0
) -> DynamoTable:
    from serving.stores.aws.access import aws_access  # noqa: PLC0415 - the same
    from serving.stores.aws.client import AwsClient  # noqa: PLC0415 - only where used
    from serving.stores.aws.dynamodb import DynamoTable  # noqa: PLC0415 - the same

    client = AwsClient(aws_access("dynamodb"), tries=tries, timeout_seconds=timeout_seconds)
    return DynamoTable(client, f"{options.prefix}-{name}")


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
