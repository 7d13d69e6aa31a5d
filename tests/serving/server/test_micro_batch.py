"""Micro-batching: what arrives in the same turn of the event loop is answered in one batch."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from serving.history.group_commit import GroupCommitter
from serving.http.messages import Reply, Request
from serving.schema.problems import HistoryUnavailableError, InvalidRequestError, ProblemError
from serving.server.micro_batch import MicroBatcher
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord
from tests.serving.support import SETTINGS, Connection, a_service, body_of, running_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path


class History:
    """A history that records its commits, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.ids: list[str] = []
        self._failure = failure

    def append(self, records: Sequence[PredictionRecord]) -> None:
        if self._failure is not None:
            raise self._failure
        self.ids += [record.prediction_id for record in records]


class Answers:
    """Answers each request with its own body; records the batches; fails if a body requests it."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []

    def __call__(self, requests: Sequence[Request]) -> list[Reply | ProblemError]:
        self.batches.append([request.body for request in requests])
        if any(request.body == b"fault" for request in requests):
            raise RuntimeError("a fault that nobody expected")
        return [self._one(request.body) for request in requests]

    def _one(self, body: bytes) -> Reply | ProblemError:
        if body == b"invalid":
            return ProblemError("not valid")
        return Reply(body, records=[PredictionRecord(0, body.decode(), "flight", b"{}")])


def run(
    scenario: Callable[[MicroBatcher], Awaitable[None]], answers: Answers, history: History
) -> None:
    async def main() -> None:
        recorder = GroupCommitter(history)
        try:
            await asyncio.wait_for(scenario(MicroBatcher(answers, recorder)), 20)
        finally:
            await asyncio.to_thread(recorder.close)

    asyncio.run(main())


def request(body: bytes) -> Request:
    return Request("POST", "/model/predict", body=body)


def test_requests_of_one_turn_are_one_batch_and_committed() -> None:
    answers, history = Answers(), History()

    async def scenario(batcher: MicroBatcher) -> None:
        # Given 100 requests that arrive together
        bodies = [b"%d" % number for number in range(100)]
        replies = await asyncio.gather(*(batcher.reply(request(body)) for body in bodies))
        # Then each gets its own reply, and they were answered in two batches of at most 64
        assert [reply.body for reply in replies] == bodies
        assert [len(batch) for batch in answers.batches] == [64, 36]
        assert history.ids == [body.decode() for body in bodies]
        # And one that arrives later is answered alone
        await batcher.reply(request(b"later"))
        assert answers.batches[-1] == [b"later"]

    run(scenario, answers, history)


def test_an_invalid_request_does_not_fail_the_batch() -> None:
    history = History()

    async def scenario(batcher: MicroBatcher) -> None:
        replies = await asyncio.gather(
            *(batcher.reply(request(body)) for body in (b"1", b"invalid", b"2")),
            return_exceptions=True,
        )
        assert [type(reply) for reply in replies] == [Reply, ProblemError, Reply]

    run(scenario, Answers(), history)
    assert history.ids == ["1", "2"]


def test_after_an_unexpected_error_each_request_is_tried_alone() -> None:
    history = History()

    async def scenario(batcher: MicroBatcher) -> None:
        replies = await asyncio.gather(
            *(batcher.reply(request(body)) for body in (b"1", b"fault", b"2")),
            return_exceptions=True,
        )
        assert [type(reply) for reply in replies] == [Reply, RuntimeError, Reply]

    run(scenario, Answers(), history)
    assert history.ids == ["1", "2"]


def test_a_prediction_that_is_not_committed_is_not_returned() -> None:
    async def scenario(batcher: MicroBatcher) -> None:
        with pytest.raises(HistoryUnavailableError, match="the disk is full"):
            await batcher.reply(request(b"1"))

    run(scenario, Answers(), History(StoreError("the disk is full")))


def test_a_caller_that_is_cancelled_does_not_fail_the_batch() -> None:
    async def scenario(batcher: MicroBatcher) -> None:
        # Given two callers of one batch, When the first is cancelled before the batch is made
        first, second = (asyncio.create_task(batcher.reply(request(b"%d" % n))) for n in (1, 2))
        await asyncio.sleep(0)
        first.cancel()
        # Then the second is answered
        assert (await second).body == b"2"

    run(scenario, Answers(), History())


def test_a_batch_gives_the_same_bytes_as_one_request_alone(home: Path) -> None:
    # Given two services with fixed clocks over equal homes
    service = a_service(home, SETTINGS)
    flights = [body_of(flight_number=number) for number in (1, 2)]
    together = service.predict_many([*flights, b"[]"])
    # Then a prediction has the same probability, features and model in a batch and alone
    assert isinstance(together[2], InvalidRequestError)
    for flight, batched in zip(flights, together, strict=False):
        assert not isinstance(batched, ProblemError)
        one, other = json.loads(batched.answer), json.loads(service.predict(flight).answer)
        for answer in (one, other):
            del answer["prediction_id"], answer["requested_at"]
        assert one == other


def test_requests_of_many_connections_are_answered_each_with_its_own(home: Path) -> None:
    # Given 24 callers at the same time, every third of whom sends an invalid request
    with running_server(a_service(home, SETTINGS)) as url:
        connections = [Connection(url) for _ in range(24)]
        for number, connection in enumerate(connections):
            body = body_of(flight_number=number) if number % 3 else b'{"carrier": 1}'
            connection.send(
                b"POST /model/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%s" % (len(body), body)
            )
        # Then each gets its own answer
        for number, connection in enumerate(connections):
            with connection:
                status, _, answer = connection.answer()
            assert status == (200 if number % 3 else 422)
            if number % 3:
                assert answer["flight_id"].split("-")[1] == str(number)
