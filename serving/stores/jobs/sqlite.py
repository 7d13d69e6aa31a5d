"""The job store in a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.stores.database import SqliteStore, store_errors, transaction
from serving.stores.jobs.protocol import Job

if TYPE_CHECKING:
    from pathlib import Path


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


class SqliteJobStore(SqliteStore):
    """The job store in a SQLite file; one object may be used by several threads.

    Args:
        path: The file, created when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def submit(self, job_id: str, request: bytes, *, at_ms: int, expires_at_ms: int) -> None:
        """Store a new job; see `JobStore.submit`."""
        self._write(_SUBMIT, job_id, request, at_ms, expires_at_ms)

    def get(self, job_id: str) -> Job | None:
        """Return a job; see `JobStore.get`."""
        with self._lock, store_errors(self._path):
            row = self._connection.execute(_GET, (job_id,)).fetchone()
        return None if row is None else Job(*row)

    def claim(self, job_id: str, *, at_ms: int, until_ms: int) -> Job | None:
        """Claim a job; see `JobStore.claim`."""
        with self._lock, store_errors(self._path), transaction(self._connection):
            if not self._connection.execute(_CLAIM, (until_ms, job_id, at_ms)).rowcount:
                return None
            return Job(*self._connection.execute(_GET, (job_id,)).fetchone())

    def complete(self, job_id: str, result: bytes) -> bool:
        """Finish a job; see `JobStore.complete`."""
        return self._write(_FINISH, "done", result, job_id) == 1

    def fail(self, job_id: str, problem: bytes) -> bool:
        """Finish a job with a problem; see `JobStore.fail`."""
        return self._write(_FINISH, "failed", problem, job_id) == 1

    def delete_expired(self, *, expired_at_ms: int) -> int:
        """Remove expired jobs; see `JobStore.delete_expired`."""
        return self._write(_FORGET, expired_at_ms)
