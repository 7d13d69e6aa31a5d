"""Queues in SQS (standard queues: at least once, in any order)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from serving.stores.boundary import store_boundary
from serving.stores.errors import ItemRefusedError, StoreError
from serving.stores.queue.protocol import MOST_AT_ONCE, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.stores.aws.client import AwsClient

_LARGEST_BATCH: Final = 250_000  # bytes of the messages of one call; SQS takes a little more
_ROUNDS: Final = 4
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@store_boundary("The queue in SQS")
class SqsQueue:
    """A queue in SQS; may be used by several threads.

    Args:
        client: Calls SQS.
        name: The queue; its redrive policy names the dead-letter queue, by convention this name
            and `-dead`.
    """

    def __init__(self, client: AwsClient, name: str) -> None:
        self._client = client
        self._name = name
        self._url: str | None = None

    def send(self, bodies: Sequence[str]) -> None:
        """Send the messages; see `Queue.send`."""
        for batch in _batches(bodies):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
            self._batch("SendMessageBatch", entries)

    def receive(
        self, *, most: int = MOST_AT_ONCE, hidden_seconds: int = 30, wait_seconds: float = 0
    ) -> list[Message]:
        """Return messages; waits are whole seconds, at most 20; see `Queue.receive`."""
        wait = min(20, math.ceil(wait_seconds))
        request = {
            "MaxNumberOfMessages": most,
            "VisibilityTimeout": hidden_seconds,
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
        answer = self._call("ReceiveMessage", request, extra_seconds=wait)
        return [
            Message(
                each["Body"],
                each["ReceiptHandle"],
                int(each["Attributes"]["ApproximateReceiveCount"]),
            )
            for each in answer.get("Messages") or ()
        ]

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; see `Queue.delete`."""
        for start in range(0, len(messages), MOST_AT_ONCE):
            some = messages[start : start + MOST_AT_ONCE]
            entries = [{"Id": str(n), "ReceiptHandle": m.receipt} for n, m in enumerate(some)]
            self._batch("DeleteMessageBatch", entries)

    def dead_letters(self) -> SqsQueue:
        """Return the queue of the dead letters; see `Queue.dead_letters`."""
        return SqsQueue(self._client, f"{self._name}-dead")

    def depth(self) -> int:
        """Return about how many messages there are; see `Queue.depth`."""
        answer = self._call("GetQueueAttributes", {"AttributeNames": list(_COUNTS)})
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)

    def _batch(self, operation: str, entries: list[dict[str, str]]) -> None:
        """Call a batch operation, with retries for the entries that failed.

        Raises:
            StoreError: SQS refused entries, or they failed in every attempt.
        """
        failed: list[Mapping[str, Any]] = []
        for turn in range(_ROUNDS):
            if turn:
                time.sleep(0.1 * 2**turn)
            failed = self._call(operation, {"Entries": entries}).get("Failed") or []
            if not failed:
                return
            if refused := [each for each in failed if each.get("SenderFault")]:
                failed = refused
                break
            again = {each["Id"] for each in failed}
            entries = [entry for entry in entries if entry["Id"] in again]
        why = f"{failed[0].get('Code')}: {failed[0].get('Message', '')}"
        kind = ItemRefusedError if failed[0].get("SenderFault") else StoreError
        raise kind(
            f"The queue {self._name} did not carry out {operation} for {len(failed)} messages: "
            f"{why}. Check their size and text, and the state of SQS."
        )

    def _call(
        self, operation: str, request: Mapping[str, object], *, extra_seconds: float = 0
    ) -> dict[str, Any]:
        if self._url is None:
            self._url = str(self._client.call("GetQueueUrl", {"QueueName": self._name})["QueueUrl"])
        body = {"QueueUrl": self._url, **request}
        return self._client.call(operation, body, extra_seconds=extra_seconds)


def _batches(bodies: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if not batches or len(batches[-1]) == MOST_AT_ONCE or size + length > _LARGEST_BATCH:
            batches.append([])
            size = 0
        batches[-1].append(body)
        size += length
    return batches
