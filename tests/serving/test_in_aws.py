"""The service with all its stores in an emulated AWS, over HTTP on both sides."""

from __future__ import annotations

import base64
import json
import signal
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving.online.network import write_network
from serving.settings import AccessSettings, ServingSettings, StoreSettings
from serving.stores.aws.client import AwsClient
from serving.stores.aws.dynamodb import unpacked
from serving.stores.definitions import create_queues, create_tables
from serving.stores.opening import open_artifact_store, open_online_store
from tests.serving.support import NETWORK, a_service, body_of, release_version, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


@pytest.fixture
def options(aws: EmulatedAws, tmp_path: Path) -> ServingSettings:
    """Return options that name tables, queues and a bucket with a released version 1."""
    prefix = f"ontime-{uuid.uuid4().hex[:12]}"
    create_tables(aws.client("dynamodb"), prefix)
    create_queues(aws.client("sqs"), prefix)
    aws.client("s3").create_bucket(Bucket=prefix)
    stores = StoreSettings(
        history="dynamodb", online="dynamodb", jobs="dynamodb", queue="sqs", prefix=prefix
    )
    release_version(open_artifact_store(f"s3://{prefix}/store"), "1")
    write_network(open_online_store(stores, tmp_path), NETWORK)
    return ServingSettings(
        access=AccessSettings(required=False),
        store_uri=f"s3://{prefix}/store",
        stores=stores,
        allow_as_of=True,
        follow_seconds=30,
    )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the operations that are called from now on."""
    called: list[str] = []
    call = AwsClient.call

    def counted(self: AwsClient, operation: str, *args: Any, **named: Any) -> dict[str, Any]:
        called.append(operation)
        return call(self, operation, *args, **named)

    monkeypatch.setattr(AwsClient, "call", counted)
    return called


@pytest.fixture
def client(options: ServingSettings, tmp_path: Path) -> Iterator[httpx.Client]:
    service = a_service(tmp_path / "home", options)
    headers = {"content-type": "application/json"}
    with running_server(service) as url, httpx.Client(base_url=url, headers=headers) as opened:
        yield opened
    service.history.close()


def test_a_prediction_is_one_read_and_one_write(
    client: httpx.Client, calls: list[str], options: ServingSettings, aws: EmulatedAws
) -> None:
    # Given a server that has answered once (and so has recorded that today has predictions)
    client.post("/model/predict", content=body_of()).raise_for_status()
    calls.clear()
    # When it answers
    answer = client.post("/model/predict", content=body_of()).raise_for_status().json()
    # Then it has requested all items in one batch, and stored the prediction immediately
    assert calls == ["BatchGetItem", "BatchWriteItem"]
    # And boto3 reads back what was answered
    found: Mapping[str, Any] = aws.client("dynamodb").get_item(
        TableName=f"{options.stores.prefix}-predictions",
        Key={"prediction_id": {"S": answer["prediction_id"]}},
    )["Item"]
    stored = json.loads(unpacked({"B": base64.b64encode(found["body"]["B"]).decode()}))
    assert {name: stored[name] for name in answer} == answer
    # And so does its history
    page = client.get("/model/history", params={"limit": 1}).json()
    assert page["items"] == [stored]


def test_requests_are_answered_while_aws_hangs(client: httpx.Client, aws: EmulatedAws) -> None:
    # Given a server, and an AWS that stops answering
    first = client.post("/model/predict", content=body_of()).raise_for_status().json()
    aws.process.send_signal(signal.SIGSTOP)
    try:
        # Then answers come, of features that are missing
        answers = [client.post("/model/predict", content=body_of()) for _ in range(10)]
    finally:
        aws.process.send_signal(signal.SIGCONT)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert set(first["missing"]) <= set(answers[0].json()["missing"])
    assert max(answer.elapsed.total_seconds() for answer in answers[2:]) < 2
    # When it resumes, Then every prediction is in the history, once
    names = {first["prediction_id"], *(answer.json()["prediction_id"] for answer in answers)}
    items: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while len(items) < len(names) and time.monotonic() < deadline:
        page = client.get("/model/history", params={"limit": 50}).raise_for_status()
        items = page.json()["items"]
        time.sleep(0.1)
    assert sorted(item["prediction_id"] for item in items) == sorted(names)
