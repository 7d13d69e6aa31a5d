"""The function behind the queue of asynchronous predictions, in the real runtime client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from serving.lambdas.jobs_handler import JobsAdapter
from serving.schema.clock import now_ms
from tests.lambda_runtime import running_function
from tests.serving.support import ROOT, SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def batch(*ids: str) -> dict[str, object]:
    records = [{"messageId": f"m{i}", "body": job_id} for i, job_id in enumerate(ids)]
    return {"Records": records}


def test_jobs_are_processed_by_the_function_and_found_by_the_service(home: Path) -> None:
    # Given two accepted requests
    service = a_service(home, SETTINGS)
    ids = [service.jobs.submit(body_of(flight_number=number)).id for number in (1, 2)]
    # When the function is given their ids, one twice, and one unknown
    with running_function(
        "serving.lambdas.jobs_handler.handler",
        cwd=ROOT,
        log=home / "function.log",
        environment={"ONTIME_HOME": str(home)},
    ) as function:
        answer = function.invoke(batch(*ids, ids[0], "nobody"))
    # Then none is redelivered, and each is present once
    assert answer == {"batchItemFailures": []}
    assert [service.jobs.find(job_id).state for job_id in ids] == ["done", "done"]
    stored = [entry["prediction_id"] for entry in json.loads(service.history_page({}))["items"]]
    assert sorted(stored) == sorted(ids)


def test_a_job_that_cannot_be_processed_now_is_redelivered(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given two jobs, one of which another worker has claimed, and a service without a model
    service = a_service(home, SETTINGS)
    ids = [service.jobs.submit(body_of()).id for _ in range(2)]
    now = now_ms()
    service.jobs._store.claim(ids[1], at_ms=now, until_ms=now + 60_000)
    unready = a_service(tmp_path / "empty", SETTINGS)
    unready.jobs._store = service.jobs._store
    # Then both messages come again, and the reason is logged
    answer = JobsAdapter(unready)(batch(*ids), None)
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["m0", "m1"]
    assert "jobs_failed" in [record.getMessage() for record in caplog.records]
