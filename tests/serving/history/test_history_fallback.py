"""Fallbacks of the prediction history under real failures: locked or refusing files, dead AWS."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from serving.history.history_fallback import (
    QueuedHistory,
    SpooledHistory,
    open_history_with_fallback,
)
from serving.history.record_lines import encode_record
from serving.history.spool import FileSpool
from serving.lambdas.function import SETTINGS_VARIABLE, function_settings
from serving.lambdas.records_handler import RecordsAdapter
from serving.settings import StoreSettings
from serving.stores.definitions import create_tables
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.opening import open_history
from serving.stores.queue.sqlite import SqliteQueue
from tests.emulated_aws import emulated_aws
from tests.lambda_runtime import running_function
from tests.serving.support import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serving.stores.history.protocol import PredictionHistory, PredictionSink
    from serving.stores.queue.protocol import Queue
    from tests.emulated_aws import EmulatedAws

RECORDS = [PredictionRecord(at, f"p{at}", "f", bytes([at])) for at in range(25)]


def refuse_writes(home: Path, *, refuse: bool = True) -> None:
    """Make the database refuse every prediction, or take them again."""
    trigger = (
        "CREATE TRIGGER refuse BEFORE INSERT ON predictions "
        "BEGIN SELECT RAISE(ABORT, 'the disk is read-only'); END"
    )
    with closing(sqlite3.connect(home / "serving.db")) as connection:
        connection.execute(trigger if refuse else "DROP TRIGGER refuse")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (StoreSettings(), SpooledHistory),
        (StoreSettings(fallback="queue"), QueuedHistory),
        (StoreSettings(fallback="none"), SqlitePredictionHistory),
    ],
)
def test_the_configuration_chooses(options: StoreSettings, kind: type, tmp_path: Path) -> None:
    history = open_history_with_fallback(options, tmp_path)
    assert type(history) is kind
    history.close()


@pytest.mark.parametrize(("given", "used"), [(None, "none"), ("spool", "none"), ("queue", "queue")])
def test_a_function_uses_no_spool(
    monkeypatch: pytest.MonkeyPatch, given: str | None, used: str
) -> None:
    # Given options of a function, whose disk ends with it
    stores = {} if given is None else {"fallback": given}
    monkeypatch.setenv(SETTINGS_VARIABLE, json.dumps({"stores": stores}))
    # Then it has no spool
    assert function_settings().stores.fallback == used


def record(number: int) -> PredictionRecord:
    return PredictionRecord(number, f"p{number}", "f", b"{}")


def numbers(history: PredictionHistory) -> list[int]:
    page = history.page(limit=1000)
    assert page.next_cursor is None
    return sorted(r.requested_at_ms for r in page.records)


def spooled(home: Path, options: StoreSettings | None = None) -> SpooledHistory:
    """The history as it is opened, with a drainer that tries again soon."""
    history = open_history(options or StoreSettings(), home)
    return SpooledHistory(history, FileSpool(home / "spool"), longest_pause=0.2)


def test_a_history_that_works_has_no_spool(tmp_path: Path) -> None:
    history = spooled(tmp_path)
    history.append([record(1)])
    history.check()
    assert numbers(history) == [1]
    assert history.get("p1") == record(1)
    assert history.statistics().spooled == 0
    assert "drainer" not in {thread.name for thread in threading.enumerate()}
    assert not (tmp_path / "spool").exists()
    history.close()


def test_a_locked_file_delays_one_request_and_loses_none(tmp_path: Path) -> None:
    # Given a file that another process holds locked
    history = spooled(tmp_path)
    history.append([record(0)])
    lock = sqlite3.connect(tmp_path / "serving.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    # When predictions come, Then the first waits half a second and the others do not
    for number in range(1, 21):
        started = time.monotonic()
        history.append([record(number)])
        assert time.monotonic() - started < (2.0 if number == 1 else 0.4)
    statistics = history.statistics()
    assert (statistics.spooled, statistics.waiting, statistics.history_up) == (20, 20, False)
    history.check()
    assert numbers(history) == [0]
    # When the lock is released, Then all are in the history, once, and new ones go there directly
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: history.statistics().waiting == 0)
    assert numbers(history) == list(range(21))
    assert history.statistics().history_up
    history.append([record(21)])
    assert numbers(history) == list(range(22))
    assert (history.statistics().spooled, history.statistics().drained) == (20, 20)
    history.close()


def test_a_file_that_cannot_be_written_is_waited_for_over_a_restart(tmp_path: Path) -> None:
    # Given a file that may only be read
    history = spooled(tmp_path)
    refuse_writes(tmp_path)
    history.append([record(1), record(2)])
    assert numbers(history) == []
    # When the process ends, and the next one can write, Then it delivers the queued records
    history.close()
    refuse_writes(tmp_path, refuse=False)
    again = spooled(tmp_path)
    wait_until(lambda: again.statistics().waiting == 0)
    assert numbers(again) == [1, 2]
    assert again.statistics().drained == 2
    again.close()


def test_when_history_and_spool_fail_the_error_names_both(tmp_path: Path) -> None:
    # Given a history that is down and a spool that cannot be written
    (tmp_path / "spool").write_text("a file")
    inner = SqlitePredictionHistory(tmp_path / "serving.db")
    refuse_writes(tmp_path)
    history = SpooledHistory(inner, FileSpool(tmp_path / "spool"))
    # Then the error names both, each time
    for _ in range(2):
        with pytest.raises(StoreError, match=r"(?s)spool .*cannot be written.*serving\.db"):
            history.append([record(1)])
    # And when the history is back, it is used again
    refuse_writes(tmp_path, refuse=False)
    history.append([record(1)])
    assert numbers(history) == [1]
    history.close()


class Unreliable(SqlitePredictionHistory):
    """Fails at times, before or after it has stored the records."""

    chance = random.Random(7)

    def append(self, records: Sequence[PredictionRecord]) -> None:
        luck = self.chance.random()
        if luck < 0.2:
            raise StoreError("it failed")
        super().append(records)
        if luck < 0.4:
            raise StoreError("the answer was lost")


def test_whatever_fails_each_record_is_in_the_history_once(tmp_path: Path) -> None:
    # Given a history that fails every third time, often after it has stored the records
    inner = Unreliable(tmp_path / "serving.db")
    history = SpooledHistory(inner, FileSpool(tmp_path / "spool"), longest_pause=0.02)
    # When eight append concurrently
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: history.append([record(n)]), range(400)))
    # Then each is present once in the end
    wait_until(lambda: history.statistics().waiting == 0)
    assert numbers(history) == list(range(400))
    assert history.statistics().spooled > 0
    history.close()


def in_dynamodb(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, prefix: str) -> StoreSettings:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    create_tables(aws.client("dynamodb"), prefix)
    return StoreSettings(history="dynamodb", prefix=prefix)


@pytest.mark.aws
def test_a_dynamodb_that_hangs_is_waited_for(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a DynamoDB that stops answering
    options = in_dynamodb(aws, monkeypatch, f"ontime-{uuid.uuid4().hex[:8]}")
    history = spooled(tmp_path, options)
    history.append([record(0)])
    aws.process.send_signal(signal.SIGSTOP)
    try:
        # Then one request waits for its timeouts, and the others do not
        for number in range(1, 11):
            started = time.monotonic()
            history.append([record(number)])
            assert time.monotonic() - started < (3.0 if number == 1 else 0.4)
        assert history.statistics().waiting == 10
    finally:
        aws.process.send_signal(signal.SIGCONT)
    # When it restarts, Then it has each once
    wait_until(lambda: history.statistics().waiting == 0)
    assert numbers(open_history(options, tmp_path)) == list(range(11))
    history.close()


@pytest.mark.aws
def test_a_dynamodb_that_was_stopped_and_started_is_found_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a DynamoDB that is unreachable
    with emulated_aws() as aws:
        options = in_dynamodb(aws, monkeypatch, "ontime")
        history = spooled(tmp_path, options)
        history.append([record(0)])
        port = int(aws.url.rpartition(":")[2])
    for number in range(1, 11):
        history.append([record(number)])
    # When it is started again (the emulation then has empty tables)
    with emulated_aws(port) as aws:
        create_tables(aws.client("dynamodb"), "ontime")
        # Then each queued record is present once
        wait_until(lambda: history.statistics().waiting == 0)
        assert numbers(history) == list(range(1, 11))
        history.append([record(11)])
        assert numbers(history) == list(range(1, 12))
        history.close()


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
    refuse_writes(tmp_path)
    # When predictions come, Then they are stored in the queue
    history.append(RECORDS[:3])
    history.append(RECORDS[3:])
    assert queue.depth() == 25
    # And while it is down, what waits stays
    assert hand_over(queue, inner) == 0
    assert queue.depth() == 25
    # When it is back, Then requests do not try it before its time
    refuse_writes(tmp_path, refuse=False)
    history.append(RECORDS[:1])
    assert queue.depth() == 26
    now[0] += 1
    history.append(RECORDS[24:])
    assert queue.depth() == 26
    # And each queued record is delivered once
    stored = 0
    while queue.depth():
        stored += hand_over(queue, inner)
    assert stored == 26
    page = history.page(limit=100)
    assert sorted(page.records, key=lambda r: r.requested_at_ms) == RECORDS
    history.close()


def test_when_history_and_queue_fail_the_error_names_the_queue(tmp_path: Path) -> None:
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
    bodies = [encode_record(record).decode() for record in (*RECORDS[:3], RECORDS[0])]
    records = [{"messageId": f"m{i}", "body": b} for i, b in enumerate([*bodies, "[1, 2]"])]
    # When the function is given them
    with running_function(
        "serving.lambdas.records_handler.handler",
        cwd=ROOT,
        log=tmp_path / "function.log",
        environment={"ONTIME_HOME": str(tmp_path)},
    ) as function:
        answer = function.invoke({"Records": records})
    # Then each is in the history once, and the invalid one is redelivered until it is a dead letter
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m4"}]}
    stored = SqlitePredictionHistory(tmp_path / "serving.db").page(limit=9).records
    assert sorted(stored, key=lambda r: r.requested_at_ms) == RECORDS[:3]
