"""The contract of every job store, and what is SQLite's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.stores.definitions import JOBS
from serving.stores.errors import StoreError
from serving.stores.jobs.aws import DynamoJobStore
from serving.stores.jobs.protocol import Job, JobStore
from serving.stores.jobs.sqlite import SqliteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_000_000
LATER = NOW + 60_000
EXPIRY = 4_000_000_000_000


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.aws)])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    if request.param == "dynamodb":
        yield DynamoJobStore(request.getfixturevalue("table")(JOBS))
        return
    opened = SqliteJobStore(tmp_path / "work.db")
    yield opened
    opened.close()


def submit(jobs: JobStore, job_id: str = "j", request: bytes = b"{}") -> None:
    jobs.submit(job_id, request, at_ms=NOW, expires_at_ms=EXPIRY)


def test_a_job_is_pending_until_it_is_claimed_and_done(jobs: JobStore) -> None:
    # Given a job
    request = bytes(range(256))
    submit(jobs, request=request)
    assert jobs.get("j") == Job("j", "pending", request, None, NOW, EXPIRY)
    # When a worker claims and completes it
    assert jobs.claim("j", at_ms=NOW, until_ms=LATER) == Job(
        "j", "running", request, None, NOW, EXPIRY
    )
    assert jobs.complete("j", b"result")
    # Then it is done
    assert jobs.get("j") == Job("j", "done", request, b"result", NOW, EXPIRY)


def test_a_failed_job_has_its_problem(jobs: JobStore) -> None:
    submit(jobs)
    assert jobs.fail("j", b"problem")
    assert jobs.get("j") == Job("j", "failed", b"{}", b"problem", NOW, EXPIRY)


def test_there_is_nothing_to_do_for_an_unknown_job(jobs: JobStore) -> None:
    assert jobs.get("j") is None
    assert jobs.claim("j", at_ms=NOW, until_ms=LATER) is None
    assert not jobs.complete("j", b"result")
    assert jobs.get("j") is None


def test_a_job_submitted_again_is_left_as_it_is(jobs: JobStore) -> None:
    submit(jobs, request=b"first")
    jobs.complete("j", b"result")
    submit(jobs, request=b"second")
    assert jobs.get("j") == Job("j", "done", b"first", b"result", NOW, EXPIRY)


def test_a_claim_holds_until_its_time_is_over(jobs: JobStore) -> None:
    # Given a job that a worker has claimed
    submit(jobs)
    assert jobs.claim("j", at_ms=NOW, until_ms=LATER)
    # Then another gets it only when the first is taken for dead
    assert jobs.claim("j", at_ms=LATER - 1, until_ms=LATER + 1) is None
    assert jobs.claim("j", at_ms=LATER, until_ms=LATER + 1)


def test_the_first_result_stays(jobs: JobStore) -> None:
    # Given a job that two workers have, since the first was slow
    submit(jobs)
    assert jobs.claim("j", at_ms=NOW, until_ms=NOW + 1)
    assert jobs.claim("j", at_ms=LATER, until_ms=LATER + 1)
    # When both finish
    assert jobs.complete("j", b"first")
    assert not jobs.complete("j", b"second")
    assert not jobs.fail("j", b"third")
    # Then the first result is the job's, and no worker takes it again
    assert jobs.get("j") == Job("j", "done", b"{}", b"first", NOW, EXPIRY)
    assert jobs.claim("j", at_ms=LATER + 9, until_ms=LATER + 10) is None


def test_of_many_workers_one_claims_and_one_finishes(jobs: JobStore) -> None:
    submit(jobs)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: jobs.claim("j", at_ms=NOW, until_ms=LATER), range(16)))
        finished = list(pool.map(lambda n: jobs.complete("j", b"%d" % n), range(16)))
    assert sum(claim is not None for claim in claims) == 1
    job = jobs.get("j")
    assert job is not None
    assert [b"%d" % n for n in range(16) if finished[n]] == [job.result]


def test_a_large_request_and_result_are_stored(jobs: JobStore) -> None:
    # Given a thousand flights and a thousand answers, as JSON
    request, result = b'{"carrier":"UA"},' * 10_000, b'{"probability":0.25},' * 30_000
    submit(jobs, request=request)
    jobs.complete("j", result)
    job = jobs.get("j")
    assert job is not None
    assert (job.request, job.result) == (request, result)


def test_sqlite_forgets_expired_jobs(tmp_path: Path) -> None:
    jobs = SqliteJobStore(tmp_path / "work.db")
    for name, expiry in (("old", NOW), ("new", NOW + 1)):
        jobs.submit(name, b"", at_ms=0, expires_at_ms=expiry)
    assert jobs.delete_expired(expired_at_ms=NOW) == 1
    assert jobs.get("old") is None
    assert jobs.get("new") is not None
    jobs.close()


def test_sqlite_jobs_survive_a_restart_and_a_failure_names_the_file(tmp_path: Path) -> None:
    first = SqliteJobStore(tmp_path / "work.db")
    submit(first)
    first.close()
    second = SqliteJobStore(tmp_path / "work.db")
    assert second.get("j") is not None
    second.close()
    with pytest.raises(StoreError, match=r"work\.db"):
        submit(second)
