"""The job store: asynchronous requests and their results.

A job is submitted, claimed by a worker with a time limit, and finished once. A queue may deliver a
job twice, and a worker may crash or be slow: the first result stored is final.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

State = Literal["pending", "running", "done", "failed"]

FINISHED: Final = ("done", "failed")


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
