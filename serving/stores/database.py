"""SQLite files of the stores: opening, transactions, errors, and a base class."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from serving.stores.errors import ItemRefusedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_MS = 10_000
MOST_LOG_BYTES: Final = 32 * 1024 * 1024
"""A write-ahead log of this size is not written any further: a reader keeps it from being reset."""
_LOG_BYTES_LEFT: Final = 4 * 1024 * 1024


class StoreConnection(sqlite3.Connection):
    """A connection that knows its write-ahead log."""

    log_path: Path
    busy_ms: int = _BUSY_MS

    def require_bounded_log(self) -> None:
        """Raise if the log has reached its limit and cannot be reset.

        The log is reset when all of it is in the database and no reader needs it. A process that
        keeps a read transaction open, such as a browser of databases, would let it grow for ever.

        Raises:
            StoreError: Another process keeps reading an old state.
        """
        if self._log_bytes() < MOST_LOG_BYTES:
            return
        self.execute("PRAGMA busy_timeout = 0")
        try:
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError:  # another process is writing
            return
        finally:
            self.execute(f"PRAGMA busy_timeout = {self.busy_ms}")
        if self._log_bytes() >= MOST_LOG_BYTES:
            raise StoreError(
                f"The log {self.log_path} has reached {MOST_LOG_BYTES // 1024**2} MB, as another "
                "process keeps reading an old state of the database: end that process."
            )

    def _log_bytes(self) -> int:
        try:
            return self.log_path.stat().st_size
        except FileNotFoundError:
            return 0


def connect(path: Path, schema: str, *, busy_ms: int = _BUSY_MS) -> StoreConnection:
    """Return a connection whose commits are on disk when they return (WAL, synchronous FULL).

    Args:
        path: The file; it and its folder are created when missing.
        schema: Statements, each safe to repeat, that make what the store needs.
        busy_ms: How long a statement waits for a lock of another process.

    Raises:
        StoreError: The file cannot be opened, or is not a database.
    """
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=StoreConnection
        )
        connection.log_path = path.with_name(f"{path.name}-wal")
        connection.busy_ms = busy_ms
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_LEFT}")
            connection.executescript(schema)
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def transaction(connection: StoreConnection) -> Iterator[None]:
    """Run the block in one transaction, rolled back after any error.

    Raises:
        StoreError: The log of the database cannot grow any further.
    """
    connection.require_bounded_log()
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Convert an error of SQLite or of the file system to a `StoreError`.

    A value that SQLite cannot store is an `ItemRefusedError`.
    """
    try:
        yield
    except (sqlite3.DataError, sqlite3.InterfaceError, OverflowError, ValueError) as error:
        raise ItemRefusedError(
            f"The store {path} cannot store a value ({error}): send another value."
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The store {path} cannot be used: {error}. Check that the disk has space, that the "
            "file may be written, and that it is the database that Ontime made."
        ) from error


class SqliteStore:
    """Base of the stores with one connection; may be used by several threads.

    Args:
        path: The file, created when missing.
        schema: Statements, each safe to repeat, that make what the store needs.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._connection = connect(path, schema)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, statement: str, *values: str | bytes | int) -> int:
        """Run one statement as a transaction, and return how many rows it changed."""
        with self._lock, store_errors(self._path), transaction(self._connection):
            return self._connection.execute(statement, values).rowcount
