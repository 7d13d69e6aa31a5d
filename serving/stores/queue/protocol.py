"""Queues: at-least-once delivery, in any order.

A received message is hidden for its visibility time-out and delivered again unless it is deleted
before. A message that was received too often moves to the dead-letter queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_AT_ONCE: Final = 10
"""The most messages of one `receive`, as in SQS."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received.

    Attributes:
        body: What was sent.
        receipt: What to delete this delivery by.
        receives: How often it was delivered, this time included.
    """

    body: str
    receipt: str
    receives: int


class Queue(Protocol):
    """Messages of text (such as JSON) from any sender to any receiver."""

    def send(self, bodies: Sequence[str]) -> None:
        """Send the messages; they are durable when it returns.

        Raises:
            StoreError: Not all were stored, but some may be: send them again.
        """

    def receive(
        self, *, most: int = MOST_AT_ONCE, hidden_seconds: int = 30, wait_seconds: float = 0
    ) -> list[Message]:
        """Return messages, hidden from other receivers for their visibility time-out.

        Args:
            most: The most messages to return, 1 to 10.
            hidden_seconds: The visibility time-out.
            wait_seconds: How long to wait for a first message.

        Raises:
            StoreError: The queue cannot be used.
        """

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete processed messages.

        After its visibility time-out a message may have been redelivered and may stay.

        Raises:
            StoreError: The queue cannot be used; they will be redelivered.
        """

    def dead_letters(self) -> Queue:
        """Return the queue of the messages that were received too often, never deleted."""

    def depth(self) -> int:
        """Return about how many messages there are, hidden ones included.

        Raises:
            StoreError: The queue cannot be read.
        """
