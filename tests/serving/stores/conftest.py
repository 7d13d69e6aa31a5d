"""Stores in an emulated AWS, for the contract suites."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from serving.stores.aws.client import AwsClient
from serving.stores.aws.definitions import create_queues, create_tables
from serving.stores.aws.dynamodb import DynamoTable
from serving.stores.aws.queue import SqsQueue
from serving.stores.aws.settings import aws_access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.emulated_aws import EmulatedAws

    Tables = Callable[[str], DynamoTable]


@pytest.fixture
def dynamodb(aws: EmulatedAws) -> Iterator[AwsClient]:
    assert aws.url
    client = AwsClient(aws_access("dynamodb"))
    yield client
    client.close()


@pytest.fixture
def new_tables(aws: EmulatedAws, dynamodb: AwsClient) -> Callable[[], Tables]:
    """Return what makes all tables, new and empty."""
    boto3 = aws.client("dynamodb")

    def make() -> Tables:
        prefix = f"ontime-{uuid.uuid4()}"
        create_tables(boto3, prefix)
        return lambda name: DynamoTable(dynamodb, f"{prefix}-{name}")

    return make


@pytest.fixture
def table(new_tables: Callable[[], Tables]) -> Tables:
    """Return what opens one of the tables of the test, by the end of its name."""
    return new_tables()


@pytest.fixture
def sqs_queue(aws: EmulatedAws) -> Iterator[SqsQueue]:
    """Return a new queue, whose messages are dead letters after two deliveries."""
    prefix = f"ontime-{uuid.uuid4()}"
    create_queues(aws.client("sqs"), prefix, most_receives=2)
    client = AwsClient(aws_access("sqs"))
    yield SqsQueue(client, f"{prefix}-jobs")
    client.close()
