"""Micro-batching: requests that arrive in the same turn of the event loop are answered together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from serving.schema.problems import HistoryUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.history.group_commit import GroupCommitter
    from serving.http.messages import Reply, Request
    from serving.schema.problems import ProblemError

    AnswerBatch = Callable[[Sequence[Request]], Sequence[Reply | ProblemError]]

_MAX_BATCH: Final = 64
"""Requests of one batch: some 15 ms, during which the event loop does nothing else."""


class _Waiting(NamedTuple):
    request: Request
    reply: asyncio.Future[Reply]


class MicroBatcher:
    """Answers requests in batches and commits their predictions, on behalf of one event loop.

    A request never waits for others to arrive: a batch is what one turn of the loop has received.

    Args:
        answer: Answers a batch: for each request its reply, with at most one prediction to commit,
            or its problem.
        recorder: Commits predictions.
    """

    def __init__(self, answer: AnswerBatch, recorder: GroupCommitter) -> None:
        self._answer = answer
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []

    async def reply(self, request: Request) -> Reply:
        """Return the reply to a request once its prediction is committed.

        Raises:
            ProblemError: The request is not valid, or its prediction could not be committed.
        """
        waiting = _Waiting(request, self._loop.create_future())
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(waiting)
        return await waiting.reply

    def _flush(self) -> None:
        batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
        if self._waiting:
            self._loop.call_soon(self._flush)
        outcomes: Sequence[Reply | Exception]
        try:
            outcomes = self._answer([each.request for each in batch])
        except Exception:  # noqa: BLE001 - one request caused it: only that one may fail
            outcomes = [self._answer_alone(each.request) for each in batch]
        for each, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                _fail(each.reply, outcome)
            else:
                self._commit(each.reply, outcome)

    def _answer_alone(self, request: Request) -> Reply | Exception:
        try:
            (outcome,) = self._answer([request])
        except Exception as error:  # noqa: BLE001 - raised again where the request is awaited
            return error
        return outcome

    def _commit(self, waiting: asyncio.Future[Reply], reply: Reply) -> None:
        (record,) = reply.records

        def committed(failure: Exception | None) -> None:
            if failure is not None:
                _fail(waiting, failure)
            elif not waiting.done():
                waiting.set_result(reply)

        try:
            self._recorder.submit(record, committed)
        except HistoryUnavailableError as error:
            committed(error)


def _fail(waiting: asyncio.Future[Reply], failure: Exception) -> None:
    if not waiting.done():  # else its caller has disconnected
        waiting.set_exception(failure)
