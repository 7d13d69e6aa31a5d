"""What is DynamoDB's own, besides the contracts of the stores: read back by boto3."""

from __future__ import annotations

import json
import random
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.stores.aws.access import AwsAccess, Credentials
from serving.stores.aws.client import AwsClient, AwsError
from serving.stores.aws.dynamodb import DynamoTable, packed, text, unpacked
from serving.stores.definitions import (
    BY_FLIGHT,
    IDEMPOTENCY,
    JOBS,
    ONLINE,
    PREDICTIONS,
    table_definitions,
)
from serving.stores.errors import ConflictError, ItemTooLargeError, StoreError
from serving.stores.history.aws import DynamoPredictionHistory
from serving.stores.history.protocol import PredictionRecord
from serving.stores.idempotency.aws import DynamoIdempotencyStore
from serving.stores.jobs.aws import DynamoJobStore
from serving.stores.online.aws import DynamoOnlineStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.emulated_aws import EmulatedAws

aws_test = pytest.mark.aws
AT = 1_388_534_399_999  # the last millisecond of 2013


class LosesAnswers(AwsClient):
    """Loses the answers to the next calls after they were carried out."""

    lose = 0

    def _sent(self, operation: str, body: bytes, timeout: float) -> Any:
        answer = super()._sent(operation, body, timeout)
        if self.lose:
            self.lose -= 1
            raise TimeoutError("the answer was lost")
        return answer


class Scripted(AwsClient):
    """Gives its scripted answers, without a server."""

    def __init__(self, *answers: Mapping[str, object]) -> None:
        super().__init__(AwsAccess("dynamodb", "r", "http://x", lambda: Credentials("a", "b")))
        self.left = list(answers)
        self.requests: list[dict[str, Any]] = []

    def _sent(self, operation: str, body: bytes, timeout: float) -> Any:
        del operation, timeout
        self.requests.append(json.loads(body))
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return 200, {}, json.dumps(answer).encode()


@aws_test
def test_boto3_reads_back_a_prediction(
    aws: EmulatedAws, table: Callable[[str], DynamoTable]
) -> None:
    # Given a stored prediction
    body = b'{"probability":0.25,"features":[' + b"null," * 300 + b"1]}"
    history = DynamoPredictionHistory(table(PREDICTIONS), retention_days=90)
    history.append([PredictionRecord(AT, "p1", "UA-1-2013123123", body)])
    # Then boto3 finds it by its key and by its flight, with its expiry time
    dynamodb = aws.client("dynamodb")
    name = table(PREDICTIONS).name
    item = dynamodb.get_item(TableName=name, Key={"prediction_id": {"S": "p1"}})["Item"]
    assert item["flight_id"] == {"S": "UA-1-2013123123"}
    assert item["day"] == {"S": "2013-12-31"}
    assert item["expires_at"] == {"N": str(AT // 1000 + 90 * 86_400)}
    stored = item["body"]["B"]
    assert stored[:1] == b"\x01"
    assert zlib.decompress(stored[1:]) == body
    found = dynamodb.query(
        TableName=name,
        IndexName=BY_FLIGHT,
        KeyConditionExpression="flight_id = :f",
        ExpressionAttributeValues={":f": {"S": "UA-1-2013123123"}},
    )["Items"]
    assert [each["prediction_id"]["S"] for each in found] == ["p1"]


@aws_test
def test_pages_reach_over_years_without_predictions(table: Callable[[str], DynamoTable]) -> None:
    # Given predictions on more days than one request lists, years apart
    history = DynamoPredictionHistory(table(PREDICTIONS), retention_days=90)
    day = 86_400_000
    times = [n * day for n in range(60)] + [AT, AT + 1]
    history.append([PredictionRecord(at, f"p{at}", "f", b"{}") for at in times])
    # Then one page holds them all
    page = history.page(limit=62)
    assert [r.requested_at_ms for r in page.records] == sorted(times, reverse=True)
    assert page.next_cursor is None
    assert history.get("day#2013-12-31") is None


@aws_test
def test_tables_are_on_demand_recoverable_and_forget(
    aws: EmulatedAws, table: Callable[[str], DynamoTable]
) -> None:
    dynamodb = aws.client("dynamodb")
    prefix = table("x").name[:-2]
    for definition in table_definitions(prefix):
        made = dynamodb.describe_table(TableName=definition.name)["Table"]
        assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        backups = dynamodb.describe_continuous_backups(TableName=definition.name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
        ttl = dynamodb.describe_time_to_live(TableName=definition.name)["TimeToLiveDescription"]
        assert ttl.get("AttributeName") == definition.ttl_attribute


@aws_test
def test_a_retry_after_a_lost_answer_recognizes_its_own_write(
    aws: EmulatedAws, table: Callable[[str], DynamoTable]
) -> None:
    # Given a network that loses the answer to every first try
    client = LosesAnswers(
        AwsAccess("dynamodb", "us-east-1", aws.url, lambda: Credentials("a", "b"))
    )

    def lossy(name: str) -> DynamoTable:
        client.lose = 0
        return DynamoTable(client, table(name).name)

    online, jobs = DynamoOnlineStore(lossy(ONLINE)), DynamoJobStore(lossy(JOBS))
    keys = DynamoIdempotencyStore(lossy(IDEMPOTENCY))
    # Then every conditional write counts as done, as it is
    client.lose = 1
    tag = online.replace("a", b"1", tag=None)
    client.lose = 1
    online.replace("a", b"2", tag=tag)
    with pytest.raises(ConflictError):
        online.replace("a", b"3", tag=tag)
    client.lose = 1
    jobs.submit("j", b"{}", at_ms=1, expires_at_ms=2)
    client.lose = 1
    assert jobs.claim("j", at_ms=1, until_ms=2) is not None
    client.lose = 1
    assert jobs.complete("j", b"result")
    client.lose = 1
    begun = keys.begin("k", body_hash="h", at_ms=1, until_ms=2, expires_at_ms=3)
    assert begun.answer is None
    client.lose = 1
    assert keys.finish("k", begun.claim, b"answer")
    client.close()


@aws_test
def test_a_table_that_is_not_there_is_named(aws: EmulatedAws) -> None:
    access = AwsAccess("dynamodb", "us-east-1", aws.url, lambda: Credentials("a", "b"))
    client = AwsClient(access)
    with pytest.raises(AwsError, match=r"ResourceNotFoundException.*table or queue exists"):
        DynamoTable(client, "nowhere").get({"k": text("v")})
    client.close()


def test_unprocessed_items_are_retried() -> None:
    # Given a DynamoDB that leaves one key of two unprocessed, and then answers it
    keys = [{"k": text("1")}, {"k": text("2")}]
    client = Scripted(
        {
            "Responses": {"t": [keys[0]]},
            "UnprocessedKeys": {"t": {"Keys": [keys[1]], "ConsistentRead": True}},
        },
        {"Responses": {"t": [keys[1]]}, "UnprocessedKeys": {}},
    )
    # Then both are found
    assert DynamoTable(client, "t").get_many(keys, consistent=True) == keys
    assert client.requests[1]["RequestItems"]["t"]["Keys"] == [keys[1]]
    # And the same when writing
    put = {"PutRequest": {"Item": keys[1]}}
    client = Scripted({"UnprocessedItems": {"t": [put]}}, {"UnprocessedItems": {}})
    DynamoTable(client, "t").put_many(keys)
    assert client.requests[1]["RequestItems"] == {"t": [put]}


def test_items_that_stay_unprocessed_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    keys = [{"k": text("1")}]
    busy = Scripted({"Responses": {}, "UnprocessedKeys": {"t": {"Keys": keys}}})
    with pytest.raises(StoreError, match="too busy for reading t"):
        DynamoTable(busy, "t").get_many(keys, consistent=False)
    assert len(busy.requests) == 8


@given(body=st.binary(max_size=3000))
def test_any_bytes_are_read_back(body: bytes) -> None:
    assert unpacked(packed(body, "it")) == body
    assert unpacked(packed(body * 5, "it")) == body * 5


def test_an_item_too_large_is_refused_by_name() -> None:
    # Given half a megabyte, Then what compresses fits and what does not is refused
    assert unpacked(packed(b"ab" * 250_000, "it")) == b"ab" * 250_000
    noise = random.Random(1).randbytes(500_000)
    with pytest.raises(ItemTooLargeError, match=r"'all' has 500\d\d\d bytes .* several keys"):
        packed(noise, "The online item 'all'")
