"""A history that is down where no disk lasts: a queue takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.history.queued_history import QueuedHistory
from serving.history.record_lines import encoded
from serving.lambdas.records_handler import RecordsAdapter
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.queue.sqlite import SqliteQueue
from tests.lambda_runtime import running_function
from tests.serving.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from serving.stores.history.protocol import PredictionSink
    from serving.stores.queue.protocol import Queue

RECORDS = [PredictionRecord(at, f"p{at}", "f", bytes([at])) for at in range(25)]


@pytest.fixture(params=["sqlite", pytest.param("sqs", marks=pytest.mark.aws)])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Queue:
    if request.param == "sqs":
        sqs: Queue = request.getfixturevalue("sqs_queue")
        return sqs
    return SqliteQueue(tmp_path / "work.db", "records")


def hand_over(queue: Queue, history: PredictionSink) -> int:
    """Do what Lambda does with a batch; return how many messages need not come again."""
    messages = queue.receive(hidden_seconds=1, wait_seconds=2)
    records = [{"messageId": m.receipt, "body": m.body} for m in messages]
    answer = RecordsAdapter(history)({"Records": records}, None)
    failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
    done = [message for message in messages if message.receipt not in failed]
    if done:
        queue.delete(done)
    return len(done)


def test_the_queue_takes_over_and_hands_over(queue: Queue, tmp_path: Path) -> None:
    # Given a history that is down
    inner = SqlitePredictionHistory(tmp_path / "serving.db")
    now = [100.0]
    history = QueuedHistory(inner, queue, clock=lambda: now[0])
    inner._writer.execute("PRAGMA query_only = ON")
    # When predictions come, Then they are kept in the queue
    history.append(RECORDS[:3])
    history.append(RECORDS[3:])
    assert queue.depth() == 25
    # And while it is down, what waits stays
    assert hand_over(queue, inner) == 0
    assert queue.depth() == 25
    # When it is back, Then requests do not try it before its time
    inner._writer.execute("PRAGMA query_only = OFF")
    history.append(RECORDS[:1])
    assert queue.depth() == 26
    now[0] += 1
    history.append(RECORDS[24:])
    assert queue.depth() == 26
    # And what waited is handed over, each once
    kept = 0
    while queue.depth():
        kept += hand_over(queue, inner)
    assert kept == 26
    page = history.page(limit=100)
    assert sorted(page.records, key=lambda r: r.requested_at_ms) == RECORDS
    history.close()


def test_when_neither_takes_it_the_caller_is_told(tmp_path: Path) -> None:
    inner = SqlitePredictionHistory(tmp_path / "serving.db")
    queue = SqliteQueue(tmp_path / "work.db", "records")
    history = QueuedHistory(inner, queue)
    history.check()
    inner.close()
    history.check()
    queue.close()
    for use in (history.check, lambda: history.append(RECORDS)):
        with pytest.raises(StoreError, match=r"work\.db"):
            use()


def test_the_function_hands_over_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    # Given predictions that wait, one of them twice, and a message that is none
    bodies = [encoded(record).decode() for record in (*RECORDS[:3], RECORDS[0])]
    records = [{"messageId": f"m{i}", "body": b} for i, b in enumerate([*bodies, "[1, 2]"])]
    # When the function is given them
    with running_function(
        "serving.lambdas.records_handler.handler",
        cwd=ROOT,
        log=tmp_path / "function.log",
        environment={"ONTIME_HOME": str(tmp_path)},
    ) as function:
        answer = function.invoke({"Records": records})
    # Then each is in the history once, and the one that is none comes again, until it is set aside
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m4"}]}
    kept = SqlitePredictionHistory(tmp_path / "serving.db").page(limit=9).records
    assert sorted(kept, key=lambda r: r.requested_at_ms) == RECORDS[:3]
