"""A history that is down, by real faults: a locked file, one only to be read, a dead AWS."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.history.history_fallback import open_lasting_history
from serving.history.spool import FileSpool
from serving.history.spooled_history import SpooledHistory
from serving.settings import StoreSettings
from serving.stores.definitions import create_tables
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.opening import open_history
from tests.emulated_aws import emulated_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serving.stores.history.protocol import PredictionHistory
    from tests.emulated_aws import EmulatedAws


def record(number: int) -> PredictionRecord:
    return PredictionRecord(number, f"p{number}", "f", b"{}")


def numbers(history: PredictionHistory) -> list[int]:
    page = history.page(limit=1000)
    assert page.next_cursor is None
    return sorted(r.requested_at_ms for r in page.records)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def spooled(home: Path, options: StoreSettings | None = None) -> SpooledHistory:
    history = open_lasting_history(options or StoreSettings(), home)
    assert isinstance(history, SpooledHistory)
    history._longest_pause = 0.2  # seconds, so that the test need not wait
    return history


def test_a_history_that_works_has_no_spool(tmp_path: Path) -> None:
    history = spooled(tmp_path)
    history.append([record(1)])
    history.check()
    assert numbers(history) == [1]
    assert history.get("p1") == record(1)
    assert history.figures().spooled == 0
    assert history._drainer is None
    assert not (tmp_path / "spool").exists()
    history.close()


def test_a_locked_file_delays_one_request_and_loses_none(tmp_path: Path) -> None:
    # Given a file that another process keeps locked
    history = spooled(tmp_path)
    history.append([record(0)])
    lock = sqlite3.connect(tmp_path / "serving.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    # When predictions come, Then the first waits half a second and the others do not
    for number in range(1, 21):
        started = time.monotonic()
        history.append([record(number)])
        assert time.monotonic() - started < (2.0 if number == 1 else 0.4)
    figures = history.figures()
    assert (figures.spooled, figures.waiting, figures.history_up) == (20, 20, False)
    history.check()
    assert numbers(history) == [0]
    # When the lock is gone, Then all are in the history, once, and new ones go there at once
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: history.figures().waiting == 0)
    assert numbers(history) == list(range(21))
    assert history.figures().history_up
    history.append([record(21)])
    assert numbers(history) == list(range(22))
    assert (history.figures().spooled, history.figures().drained) == (20, 20)
    history.close()


def test_a_file_that_cannot_be_written_is_waited_for_over_a_restart(tmp_path: Path) -> None:
    # Given a file that may only be read
    history = spooled(tmp_path)
    inner = history._history
    assert isinstance(inner, SqlitePredictionHistory)
    inner._writer.execute("PRAGMA query_only = ON")
    history.append([record(1), record(2)])
    assert numbers(history) == []
    # When the process ends, and the next one can write, Then it hands over what waits
    history.close()
    again = spooled(tmp_path)
    wait_until(lambda: again.figures().waiting == 0)
    assert numbers(again) == [1, 2]
    assert again.figures().drained == 2
    again.close()


def test_when_neither_takes_it_the_caller_is_told(tmp_path: Path) -> None:
    # Given a history that is down and a spool that cannot be written
    (tmp_path / "spool").write_text("a file")
    inner = SqlitePredictionHistory(tmp_path / "serving.db")
    inner._writer.execute("PRAGMA query_only = ON")
    history = SpooledHistory(inner, FileSpool(tmp_path / "spool"))
    # Then the error names both, each time
    for _ in range(2):
        with pytest.raises(StoreError, match=r"(?s)spool .*cannot be written.*serving\.db"):
            history.append([record(1)])
    # And when the history is back, it is used again
    inner._writer.execute("PRAGMA query_only = OFF")
    history.append([record(1)])
    assert numbers(history) == [1]
    history.close()


class Unreliable(SqlitePredictionHistory):
    """Fails now and then, before or after it has kept the records."""

    chance = random.Random(7)

    def append(self, records: Sequence[PredictionRecord]) -> None:
        luck = self.chance.random()
        if luck < 0.2:
            raise StoreError("it failed")
        super().append(records)
        if luck < 0.4:
            raise StoreError("the answer was lost")


def test_whatever_fails_each_record_is_in_the_history_once(tmp_path: Path) -> None:
    # Given a history that fails every third time, often after it has kept the records
    inner = Unreliable(tmp_path / "serving.db")
    history = SpooledHistory(inner, FileSpool(tmp_path / "spool"), longest_pause=0.02)
    # When eight append at once
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: history.append([record(n)]), range(400)))
    # Then each is there once in the end
    wait_until(lambda: history.figures().waiting == 0)
    assert numbers(history) == list(range(400))
    assert history.figures().spooled > 0
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
        assert history.figures().waiting == 10
    finally:
        aws.process.send_signal(signal.SIGCONT)
    # When it goes on, Then it has each once
    wait_until(lambda: history.figures().waiting == 0)
    assert numbers(open_history(options, tmp_path)) == list(range(11))
    history.close()


@pytest.mark.aws
def test_a_dynamodb_that_was_stopped_and_started_is_found_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a DynamoDB that is gone
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
        # Then what waited is there, once
        wait_until(lambda: history.figures().waiting == 0)
        assert numbers(history) == list(range(1, 11))
        history.append([record(11)])
        assert numbers(history) == list(range(1, 12))
        history.close()
