"""Fixtures that the tests of serving share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.aws.access import aws_access
from serving.stores.aws.client import AwsClient
from serving.stores.aws.dynamodb import DynamoTable
from serving.stores.definitions import create_queues, create_tables
from serving.stores.queue.aws import SqsQueue
from tests.serving.support import SETTINGS, a_home, a_service, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.emulated_aws import EmulatedAws

    Tables = Callable[[str], DynamoTable]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a released version 1 and the network."""
    return a_home(tmp_path / "home")


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifactStore:
    """An empty artifact store."""
    return FolderArtifactStore(tmp_path / "store")


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    """A client of a real server in this process, on a free port, over real HTTP."""
    with running_server(a_service(home, SETTINGS)) as url, httpx.Client(base_url=url) as opened:
        yield opened


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
