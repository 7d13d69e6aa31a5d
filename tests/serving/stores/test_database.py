"""How the shared SQLite file is opened."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.stores.database import connect, transaction
from serving.stores.errors import StoreError

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
