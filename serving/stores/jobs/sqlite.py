"""The job store: asynchronous requests and their results.

A job is submitted, claimed by a worker for a while, and finished once. A queue may deliver a job
twice and a worker may die or dawdle: whoever finishes first decides the result, for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from serving.stores.database import SqliteStore, explained, transaction

if TYPE_CHECKING:
    from pathlib import Path

State = Literal["pending", "running", "done", "failed"]
FINISHED: Final = ("done", "failed")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    request BLOB NOT NULL,
    result BLOB,
    submitted_at_ms INTEGER NOT NULL,
    claimed_until_ms INTEGER NOT NULL DEFAULT 0,
    expires_at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_expiry ON jobs (expires_at_ms);
"""
_SUBMIT = """
INSERT INTO jobs (job_id, state, request, submitted_at_ms, expires_at_ms)
VALUES (?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING
"""
_GET = """
SELECT job_id, state, request, result, submitted_at_ms, expires_at_ms FROM jobs WHERE job_id = ?
"""
_CLAIM = """
UPDATE jobs SET state = 'running', claimed_until_ms = ?
WHERE job_id = ? AND state IN ('pending', 'running') AND claimed_until_ms <= ?
"""
_FINISH = """
UPDATE jobs SET state = ?, result = ? WHERE job_id = ? AND state IN ('pending', 'running')
"""
_FORGET = "DELETE FROM jobs WHERE expires_at_ms <= ?"


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous request.

    Attributes:
        job_id: Its name, made by whoever submits it.
        state: `pending`, `running` (claimed by a worker), `done` or `failed`.
        request: The request body.
        result: The answer when done, the problem when failed; None before.
        submitted_at_ms: When it came, in milliseconds since the epoch.
        expires_at_ms: From then on it may be gone.
    """

    job_id: str
    state: State
    request: bytes
    result: bytes | None
    submitted_at_ms: int
    expires_at_ms: int


class JobStore(Protocol):
    """Jobs by id. Times are milliseconds since the epoch, given by the caller's clock."""

    def submit(self, job_id: str, request: bytes, *, at_ms: int, expires_at_ms: int) -> None:
        """Keep a new job, pending; durable when it returns. A job that is there is left as it is.

        Raises:
            StoreError: It could not be kept.
        """

    def get(self, job_id: str) -> Job | None:
        """Return a job as last written, or None when there is none.

        Raises:
            StoreError: The store cannot be read.
        """

    def claim(self, job_id: str, *, at_ms: int, until_ms: int) -> Job | None:
        """Return the job for the caller to work on, until the given time; else None.

        None means: there is no such job, it is finished, or another worker has claimed it and its
        time is not over.

        Raises:
            StoreError: The store cannot be used.
        """

    def complete(self, job_id: str, result: bytes) -> bool:
        """Finish a job with its result; return whether this result is the job's.

        False means: it was finished before (its first result stays), or there is no such job. The
        same result given again by a caller who lost the answer is not told apart from that.

        Raises:
            StoreError: The store cannot be written.
        """

    def fail(self, job_id: str, problem: bytes) -> bool:
        """Finish a job with what went wrong, under the rules of `complete`."""

    def forget(self, *, expired_at_ms: int) -> int:
        """Remove jobs that expired by an instant; return how many (0 where the store does so).

        Raises:
            StoreError: The store cannot be written.
        """


class SqliteJobStore(SqliteStore):
    """The job store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, made when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def submit(self, job_id: str, request: bytes, *, at_ms: int, expires_at_ms: int) -> None:
        """Keep a new job; see `JobStore.submit`."""
        self._write(_SUBMIT, job_id, request, at_ms, expires_at_ms)

    def get(self, job_id: str) -> Job | None:
        """Return a job; see `JobStore.get`."""
        with self._lock, explained(self._path):
            row = self._connection.execute(_GET, (job_id,)).fetchone()
        return None if row is None else Job(*row)

    def claim(self, job_id: str, *, at_ms: int, until_ms: int) -> Job | None:
        """Claim a job; see `JobStore.claim`."""
        with self._lock, explained(self._path), transaction(self._connection):
            if not self._connection.execute(_CLAIM, (until_ms, job_id, at_ms)).rowcount:
                return None
            return Job(*self._connection.execute(_GET, (job_id,)).fetchone())

    def complete(self, job_id: str, result: bytes) -> bool:
        """Finish a job; see `JobStore.complete`."""
        return self._write(_FINISH, "done", result, job_id) == 1

    def fail(self, job_id: str, problem: bytes) -> bool:
        """Finish a job with a problem; see `JobStore.fail`."""
        return self._write(_FINISH, "failed", problem, job_id) == 1

    def forget(self, *, expired_at_ms: int) -> int:
        """Remove expired jobs; see `JobStore.forget`."""
        return self._write(_FORGET, expired_at_ms)
