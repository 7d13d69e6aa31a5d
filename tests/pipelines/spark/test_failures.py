from __future__ import annotations

import errno
import os
import sqlite3
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from pipelines.runtime.command import exit_code_of
from pipelines.spark.failures import machine_failure


def test_a_full_disk_is_explained_whoever_notices_it(tmp_path: Path) -> None:
    # Given a disk and a database that take no more
    with pytest.raises(OSError, match="No space left") as full, Path("/dev/full").open("w") as file:
        file.write("x" * 100_000)
    connection = sqlite3.connect(tmp_path / "small.db")
    connection.executescript("PRAGMA max_page_count = 2; CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as database:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    # When / Then
    for error in (full.value, database.value):
        sentence = machine_failure(error)
        assert sentence is not None
        assert sentence.startswith("the disk is full. Free some space")
        assert sentence.endswith("run it again to continue.")


def test_a_killed_process_of_a_pool_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(os._exit, 9).result()

    # When a process of a command is killed
    code = exit_code_of("ontime prove skew", work)
    # Then
    assert code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ontime prove skew: a worker process was killed, often for lack of mem")
    assert line.endswith("GB are free). What was finished is kept: run it again to continue.")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "Spark ran out of its memory"),
        ("Python worker exited unexpectedly (crashed)", "a worker process was killed"),
        ("java.io.IOException: No space left on device", "the disk is full"),
    ],
)
def test_what_spark_reports_is_explained_also_as_the_cause_of_another_error(
    text: str, sentence: str
) -> None:
    error = RuntimeError("Job aborted")
    error.__cause__ = ValueError(text)
    assert (machine_failure(error) or "").startswith(sentence)


def test_an_error_about_something_else_is_not_explained() -> None:
    # Given, for one, a tracking server that refuses the connection
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert machine_failure(refused) is None
    assert machine_failure(KeyError("x")) is None
    # And such an error stays an error with its traceback
    with pytest.raises(ZeroDivisionError):
        exit_code_of("ontime run", lambda: 1 // len(sys.argv[:0]))
