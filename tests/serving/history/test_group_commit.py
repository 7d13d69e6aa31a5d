"""Group commit."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from serving.history.group_commit import GroupCommitter
from serving.schema.problems import HistoryUnavailableError
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Sequence


class SlowHistory:
    """A history whose commits wait until they are released."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.commits: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self._failure = failure

    def append(self, records: Sequence[PredictionRecord]) -> None:
        self.begun.set()
        assert self.go.wait(10)
        if self._failure:
            raise self._failure
        self.commits.append([record.prediction_id for record in records])


def record(number: int) -> PredictionRecord:
    return PredictionRecord(number, str(number), "f", b"{}")


def test_records_queued_during_a_commit_are_committed_together() -> None:
    async def scenario() -> None:
        # Given a commit in progress
        history = SlowHistory()
        recorder = GroupCommitter(history)
        first = asyncio.create_task(recorder.append(record(0)))
        assert await asyncio.to_thread(history.begun.wait, 10)
        # When more records arrive during it
        others = [asyncio.create_task(recorder.append(record(n))) for n in range(1, 9)]
        await asyncio.sleep(0)  # each has handed its record in
        # Then nothing is acknowledged before its commit
        assert not any(task.done() for task in (first, *others))
        history.go.set()
        await asyncio.wait_for(asyncio.gather(first, *others), 10)
        # And those that waited took one commit
        assert history.commits == [["0"], [str(n) for n in range(1, 9)]]
        await asyncio.to_thread(recorder.close)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(StoreError("the disk is full"), HistoryUnavailableError), (ValueError("odd"), ValueError)],
)
def test_a_failed_commit_is_raised_in_every_caller(
    failure: Exception, expected: type[Exception]
) -> None:
    async def scenario() -> None:
        # Given a history that fails
        history = SlowHistory(failure)
        history.go.set()
        recorder = GroupCommitter(history)
        # Then the error is raised in every waiting caller, and it still accepts records
        for _ in range(2):
            results = await asyncio.gather(
                *(recorder.append(record(n)) for n in range(3)), return_exceptions=True
            )
            assert all(isinstance(result, expected) for result in results)
            assert all(str(failure) in str(result) for result in results)
        await asyncio.to_thread(recorder.close)

    asyncio.run(scenario())


def test_a_cancelled_caller_does_not_affect_others() -> None:
    async def scenario() -> None:
        # Given two waiting callers, When one of them is cancelled
        history = SlowHistory()
        recorder = GroupCommitter(history)
        cancelled = asyncio.create_task(recorder.append(record(1)))
        waiting = asyncio.create_task(recorder.append(record(2)))
        await asyncio.sleep(0)  # both have handed their records in
        cancelled.cancel()
        history.go.set()
        # Then the other is acknowledged, and both records are committed
        await asyncio.wait_for(waiting, 10)
        assert sorted(name for commit in history.commits for name in commit) == ["1", "2"]
        await asyncio.to_thread(recorder.close)

    asyncio.run(scenario())


def test_closing_commits_what_is_queued_and_refuses_more() -> None:
    async def scenario() -> None:
        # Given one who waits
        history = SlowHistory()
        recorder = GroupCommitter(history)
        waits = asyncio.create_task(recorder.append(record(1)))
        await asyncio.sleep(0)  # it has handed its record in
        # When it is closed
        history.go.set()
        await asyncio.to_thread(recorder.close)
        # Then the record is committed, and the next is refused
        await asyncio.wait_for(waits, 10)
        assert history.commits == [["1"]]
        with pytest.raises(HistoryUnavailableError, match="stopping"):
            await recorder.append(record(2))

    asyncio.run(scenario())
