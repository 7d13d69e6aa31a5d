"""SQLite files of the stores: opening, transactions, errors, and a base class."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

from serving.stores.errors import ItemRefusedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_MS = 10_000


def connect(path: Path, schema: str, *, busy_ms: int = _BUSY_MS) -> sqlite3.Connection:
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
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(schema)
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction, rolled back after any error."""
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
