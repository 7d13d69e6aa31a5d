"""The tables and queues of the stores in AWS, as data for provisioning.

Tables are on demand (nothing to size), with point-in-time recovery. docs/stores.md lists
the access pattern of each key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.client import BaseClient

PREDICTIONS: Final = "predictions"
ONLINE: Final = "online"
JOBS: Final = "jobs"
IDEMPOTENCY: Final = "idempotency"
QUEUES: Final = ("jobs", "events", "records")
BY_TIME: Final = "by_time"
BY_FLIGHT: Final = "by_flight"
EXPIRES_AT: Final = "expires_at"  # seconds since the epoch, as the time to live wants it


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table.

    Attributes:
        name: Its name.
        partition_key: Attribute that is its key; text.
        indexes: Name, partition key and sort key of each index; both text, keys only.
        ttl_attribute: Attribute with the expiry of an item; None: items never expire.
    """

    name: str
    partition_key: str
    indexes: tuple[tuple[str, str, str], ...] = ()
    ttl_attribute: str | None = None

    def create_request(self) -> dict[str, Any]:
        """Return the request that creates it (`CreateTable`)."""
        names = {self.partition_key, *(key for _, *keys in self.indexes for key in keys)}
        request: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"} for name in sorted(names)
            ],
            "KeySchema": [{"AttributeName": self.partition_key, "KeyType": "HASH"}],
        }
        if self.indexes:
            request["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": partition, "KeyType": "HASH"},
                        {"AttributeName": sort, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for index, partition, sort in self.indexes
            ]
        return request


@dataclass(frozen=True, slots=True)
class QueueDefinition:
    """A queue and, beside it, the queue of its dead letters.

    Attributes:
        name: Its name.
        dead_letters: Name of the queue of its dead letters.
        most_receives: A message received so often without being deleted is a dead letter.
        kept_seconds: Retention of a message; that of a dead letter is 14 days.
    """

    name: str
    dead_letters: str
    most_receives: int
    kept_seconds: int = 4 * 86_400


def table_definitions(prefix: str) -> tuple[TableDefinition, ...]:
    """Return the tables.

    Args:
        prefix: What their names start with, such as `ontime-dev`.
    """
    return (
        TableDefinition(
            f"{prefix}-{PREDICTIONS}",
            "prediction_id",
            indexes=((BY_TIME, "day", "at"), (BY_FLIGHT, "flight_id", "at")),
            ttl_attribute=EXPIRES_AT,
        ),
        TableDefinition(f"{prefix}-{ONLINE}", "entity_key"),
        TableDefinition(f"{prefix}-{JOBS}", "job_id", ttl_attribute=EXPIRES_AT),
        TableDefinition(f"{prefix}-{IDEMPOTENCY}", "idempotency_key", ttl_attribute=EXPIRES_AT),
    )


def queue_definitions(prefix: str, *, most_receives: int = 5) -> tuple[QueueDefinition, ...]:
    """Return the queues: asynchronous jobs, events, and predictions for the history."""
    return tuple(
        QueueDefinition(f"{prefix}-{name}", f"{prefix}-{name}-dead", most_receives)
        for name in QUEUES
    )


def create_tables(dynamodb: BaseClient, prefix: str) -> None:
    """Create the tables, with time to live and point-in-time recovery.

    Args:
        dynamodb: A boto3 client of DynamoDB.
        prefix: What their names start with.
    """
    for table in table_definitions(prefix):
        dynamodb.create_table(**table.create_request())
        dynamodb.get_waiter("table_exists").wait(TableName=table.name)
        dynamodb.update_continuous_backups(
            TableName=table.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        if table.ttl_attribute:
            dynamodb.update_time_to_live(
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl_attribute},
            )


def create_queues(sqs: BaseClient, prefix: str, *, most_receives: int = 5) -> None:
    """Create the queues with their dead letters.

    Args:
        sqs: A boto3 client of SQS.
        prefix: What their names start with.
        most_receives: See `QueueDefinition`.
    """
    for queue in queue_definitions(prefix, most_receives=most_receives):
        dead = sqs.create_queue(
            QueueName=queue.dead_letters, Attributes={"MessageRetentionPeriod": str(14 * 86_400)}
        )
        arn = sqs.get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])
        redrive = (
            f'{{"deadLetterTargetArn": "{arn["Attributes"]["QueueArn"]}", '
            f'"maxReceiveCount": {queue.most_receives}}}'
        )
        sqs.create_queue(
            QueueName=queue.name,
            Attributes={
                "MessageRetentionPeriod": str(queue.kept_seconds),
                "RedrivePolicy": redrive,
            },
        )
