"""How the shared SQLite file is opened."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from serving.stores.database import MOST_LOG_BYTES, connect, store_errors, transaction
from serving.stores.errors import ItemRefusedError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "CREATE TABLE IF NOT EXISTS t (x INTEGER NOT NULL)"


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    # Given an opened file, Then it is in WAL mode and every commit is synced (2 is FULL)
    connection = connect(tmp_path / "a" / "serving.db", SCHEMA)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "serving.db", SCHEMA)
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (None,)])
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()


def test_a_new_file_is_opened_concurrently(tmp_path: Path) -> None:
    # Given a file that does not exist, When many open it concurrently, Then all succeed
    def open_and_write(number: int) -> None:
        connection = connect(tmp_path / "serving.db", SCHEMA)
        with transaction(connection):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_write, range(24)))
    connection = connect(tmp_path / "serving.db", SCHEMA)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (24,)
    connection.close()


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "serving.db").write_bytes(b"certainly not a database" * 100)
    with pytest.raises(StoreError, match=r"serving\.db cannot be used.*space"):
        connect(tmp_path / "serving.db", SCHEMA)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StoreError, match=r"home/serving\.db"):
        connect(tmp_path / "home" / "serving.db", SCHEMA)


def test_a_log_that_a_reader_keeps_from_being_reset_stays_bounded(tmp_path: Path) -> None:
    # Given a reader of another process that never ends
    path = tmp_path / "serving.db"
    connection = connect(path, "CREATE TABLE IF NOT EXISTS t (x BLOB)")
    log = path.with_name("serving.db-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchall()
        # When much is written / Then the writes fail once the log has reached its limit
        while log.stat().st_size < MOST_LOG_BYTES:
            with transaction(connection):
                connection.execute("INSERT INTO t VALUES (zeroblob(4000000))")
        with pytest.raises(StoreError, match="keeps reading an old state"), transaction(connection):
            connection.execute("INSERT INTO t VALUES (zeroblob(4000000))")
        assert MOST_LOG_BYTES <= log.stat().st_size < MOST_LOG_BYTES + 5_000_000
    # When it has ended / Then the next write resets the log
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES (x'00')")
    assert log.stat().st_size < MOST_LOG_BYTES / 2
    connection.close()


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_a_value_that_cannot_be_stored_is_no_outage(tmp_path: Path, value: object) -> None:
    connection = connect(tmp_path / "serving.db", "CREATE TABLE IF NOT EXISTS t (x)")
    with pytest.raises(ItemRefusedError, match="cannot store a value"), store_errors(tmp_path):
        connection.execute("INSERT INTO t VALUES (?)", (value,))
    connection.close()
