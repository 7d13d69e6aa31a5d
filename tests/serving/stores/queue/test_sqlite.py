"""The contract of every queue, and what is SQLite's own."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from serving.stores.errors import StoreError
from serving.stores.queue.sqlite import SqliteQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.stores.queue.protocol import Message, Queue


@pytest.fixture(params=["sqlite", pytest.param("sqs", marks=pytest.mark.aws)])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    if request.param == "sqs":
        yield request.getfixturevalue("sqs_queue")
        return
    opened = SqliteQueue(tmp_path / "work.db", "jobs", most_receives=2)
    yield opened
    opened.close()


def drain(queue: Queue, most: int = 10) -> list[str]:
    """Receive and delete until there is nothing left."""
    bodies: list[str] = []
    while found := queue.receive(most=most):
        bodies += [message.body for message in found]
        queue.delete(found)
    return bodies


def test_a_sent_message_is_received_once_and_then_deleted(queue: Queue) -> None:
    # Given more messages than one call takes, of any text
    sent = [f'{{"number": {n}, "text": "Zürich <&> ✈"}}' for n in range(25)]
    queue.send(sent)
    assert queue.depth() == 25
    # Then each is received, in any order
    assert sorted(drain(queue)) == sorted(sent)
    assert queue.receive(hidden_seconds=1) == []
    assert queue.depth() == 0


def test_an_empty_queue_returns_nothing(queue: Queue) -> None:
    queue.send([])
    assert queue.receive() == []
    started = time.monotonic()
    assert queue.receive(wait_seconds=1) == []
    assert time.monotonic() - started > 0.9


def test_at_most_the_requested_number_is_received(queue: Queue) -> None:
    queue.send(["a", "b", "c"])
    first = queue.receive(most=2)
    assert 1 <= len(first) <= 2
    assert len({*(m.body for m in first), *drain(queue)}) == 3


def test_a_waiting_receiver_gets_a_new_message(queue: Queue) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: queue.receive(wait_seconds=5))
        time.sleep(0.2)
        queue.send(["a"])
        assert [message.body for message in waiting.result(10)] == ["a"]


def test_a_message_that_is_not_deleted_is_redelivered(queue: Queue) -> None:
    # Given a receiver that dies
    queue.send(["a"])
    (first,) = queue.receive(hidden_seconds=1)
    assert first.receives == 1
    # Then the message is invisible for a while, and it is still counted
    assert queue.receive() == []
    assert queue.depth() == 1
    # And then it is redelivered
    (second,) = queue.receive(wait_seconds=5)
    assert (second.body, second.receives) == ("a", 2)
    queue.delete([second])
    assert queue.depth() == 0


def test_a_message_received_too_often_is_a_dead_letter(queue: Queue) -> None:
    # Given a message that no worker can process, and another one
    queue.send(["poison"])
    for _ in range(2):
        assert len(queue.receive(hidden_seconds=0, wait_seconds=5)) == 1
    # Then it is not delivered a third time, and waits among the dead letters
    assert queue.receive(wait_seconds=1) == []
    dead = queue.dead_letters()
    assert [message.body for message in dead.receive(wait_seconds=5)] == ["poison"]


def test_many_receivers_share_the_work(queue: Queue) -> None:
    # Given a hundred messages and eight receivers
    queue.send([str(n) for n in range(100)])
    with ThreadPoolExecutor(8) as pool:
        shares = list(pool.map(lambda _: drain(queue, most=3), range(8)))
    # Then each message was received (perhaps twice: a queue promises at least once)
    assert {int(body) for share in shares for body in share} == set(range(100))


def test_sqlite_queues_in_one_file_are_separate_and_survive_a_restart(tmp_path: Path) -> None:
    first, other = (SqliteQueue(tmp_path / "work.db", name) for name in ("jobs", "events"))
    first.send(["a"])
    assert other.receive() == []
    first.close()
    again = SqliteQueue(tmp_path / "work.db", "jobs")
    assert drain(again) == ["a"]
    again.close()
    other.close()
    with pytest.raises(StoreError, match=r"work\.db"):
        again.send(["b"])


class Redelivery(RuleBasedStateMachine):
    """In any order of sends, receives and time: no message is lost, no deleted one redelivered."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.now = 1_000.0
        self.queue = SqliteQueue(path, "q", most_receives=3, clock=lambda: self.now)
        self.dead = self.queue.dead_letters()
        self.sent = 0
        self.left: dict[str, int] = {}  # body -> how often received
        self.visible_at: dict[str, float] = {}
        self.in_hand: list[Message] = []

    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        bodies = [str(self.sent + n) for n in range(count)]
        self.sent += count
        self.queue.send(bodies)
        self.left |= dict.fromkeys(bodies, 0)
        self.visible_at |= dict.fromkeys(bodies, 0.0)

    @rule(most=st.integers(1, 10), hidden=st.integers(1, 5))
    def receive(self, most: int, hidden: int) -> None:
        found = self.queue.receive(most=most, hidden_seconds=hidden)
        ready = [b for b in self.left if self.visible_at[b] <= self.now and self.left[b] < 3]
        assert len(found) == min(most, len(ready))
        for message in found:
            assert message.body in ready
            self.left[message.body] += 1
            assert message.receives == self.left[message.body]
            self.visible_at[message.body] = self.now + hidden
            self.in_hand.append(message)

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.in_hand)
    @rule(which=st.integers(0, 1000))
    def delete(self, which: int) -> None:
        message = self.in_hand.pop(which % len(self.in_hand))
        self.queue.delete([message])
        if message.receives == self.left.get(message.body):
            del self.left[message.body]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.queue.depth() + self.dead.depth() == len(self.left)

    def teardown(self) -> None:
        self.queue.close()
        self.dead.close()


def test_sqlite_redelivers_until_deleted(tmp_path: Path) -> None:
    numbers = itertools.count()

    class InFile(Redelivery):
        def __init__(self) -> None:
            super().__init__(tmp_path / f"{next(numbers)}.db")

    run_state_machine_as_test(
        InFile,
        settings=settings(max_examples=20, stateful_step_count=25, deadline=None),
    )
