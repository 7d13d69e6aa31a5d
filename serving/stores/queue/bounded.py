"""A queue that refuses new messages when too many wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from serving.stores.errors import QueueFullError
from serving.stores.queue.protocol import MOST_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.stores.queue.protocol import Message, Queue

_COUNT_SECONDS: Final = 1.0


class BoundedQueue:
    """A queue of at most about so many messages; may be used by several threads.

    Messages are counted once a second and those sent since are added, so several senders may exceed
    the limit by what they send within that second.

    Args:
        queue: The queue.
        most: Messages that may wait, those in progress included.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, queue: Queue, *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue = queue
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._counted_at: float | None = None
        self._waiting = 0

    def send(self, bodies: Sequence[str]) -> None:
        """Send the messages; see `Queue.send`.

        Raises:
            QueueFullError: Too many wait; none was sent.
        """
        self.reserve(len(bodies))
        self._queue.send(bodies)

    def reserve(self, messages: int) -> None:
        """Count messages that are about to be sent by `send_reserved`.

        Raises:
            QueueFullError: Too many wait.
        """
        with self._lock:
            now = self._clock()
            if self._counted_at is None or now >= self._counted_at + _COUNT_SECONDS:
                self._waiting = self._queue.depth()
                self._counted_at = now
            if self._waiting + messages > self._most:
                raise QueueFullError(
                    f"{self._waiting:,} messages wait in the queue, which takes {self._most:,}: "
                    "send this again when there are fewer."
                )
            self._waiting += messages

    def send_reserved(self, bodies: Sequence[str]) -> None:
        """Send messages that `reserve` has counted; see `Queue.send`."""
        self._queue.send(bodies)

    def receive(
        self, *, most: int = MOST_AT_ONCE, hidden_seconds: int = 30, wait_seconds: float = 0
    ) -> list[Message]:
        """Return messages; see `Queue.receive`."""
        return self._queue.receive(
            most=most, hidden_seconds=hidden_seconds, wait_seconds=wait_seconds
        )

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; see `Queue.delete`."""
        self._queue.delete(messages)

    def dead_letters(self) -> Queue:
        """Return the queue of the dead letters; see `Queue.dead_letters`."""
        return self._queue.dead_letters()

    def depth(self) -> int:
        """Return about how many messages there are; see `Queue.depth`."""
        return self._queue.depth()
