"""Asynchronous predictions."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving.online.network import Network, write_network
from serving.schema.problems import InvalidRequestError, StoreUnavailableError, UnknownJobError
from serving.service.jobs import CLAIM_SECONDS
from serving.service.prediction_service import open_service
from serving.stores.errors import StoreError
from serving.stores.jobs.sqlite import SqliteJobStore
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.serving.support import NETWORK, SETTINGS, a_service, body_of, running_server, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from serving.service.prediction_service import PredictionService
    from serving.stores.jobs.protocol import Job

JSON = {"content-type": "application/json"}
HOUR_MS = 3_600_000


class Clock:
    now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(home: Path, clock: Clock) -> PredictionService:
    service = open_service(SETTINGS, home, clock=clock)
    service.refresh()
    return service


def history(service: PredictionService) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(service.history_page({}))["items"]
    return items


def test_an_accepted_job_is_processed_once_and_found_by_its_id(service: PredictionService) -> None:
    # Given an accepted request
    accepted = service.jobs.submit(body_of())
    assert accepted.state == "pending"
    assert service.jobs.find(accepted.id).state == "pending"
    # When a worker processes it twice
    assert service.jobs.process_messages(wait_seconds=0) == 1
    assert service.jobs.process_messages(wait_seconds=0) == 0
    # Then the prediction is stored in job and history, under the id of the job
    found = service.jobs.find(accepted.id)
    assert found.state == "done"
    assert found.prediction is not None
    assert found.prediction.prediction_id == accepted.id
    assert [entry["prediction_id"] for entry in history(service)] == [accepted.id]


def test_it_survives_its_service(service: PredictionService, home: Path) -> None:
    # Given an accepted request, When another service opens the same stores
    accepted = service.jobs.submit(body_of())
    other = a_service(home, SETTINGS)
    # Then it works on it, and either finds it
    other.jobs.process_messages(wait_seconds=0)
    assert service.jobs.find(accepted.id).state == "done"


def test_a_bad_request_is_not_accepted(service: PredictionService) -> None:
    with pytest.raises(InvalidRequestError):
        service.jobs.submit(b"{}")
    with pytest.raises(InvalidRequestError, match="XXX"):
        service.jobs.submit(body_of(destination="XXX"))


def test_a_job_that_became_invalid_fails_with_the_reason(
    service: PredictionService, home: Path
) -> None:
    # Given an accepted request, and a network that has since lost its airport
    accepted = service.jobs.submit(body_of())
    zones = {name: zone for name, zone in NETWORK.time_zones.items() if name != "SFO"}
    with closing(SqliteOnlineStore(home / "serving.db")) as online:
        write_network(online, Network(zones, NETWORK.origins, {}))
    service.refresh()
    service.jobs.process_messages(wait_seconds=0)
    # Then it has failed, with the reason
    found = service.jobs.find(accepted.id)
    assert (found.state, found.prediction) == ("failed", None)
    assert found.problem is not None
    assert "'SFO' is not one of" in found.problem.detail


def test_without_a_model_it_waits(home: Path, clock: Clock) -> None:
    # Given an accepted request, and a worker that has no model yet
    service = open_service(SETTINGS, home, clock=clock)
    service.refresh()
    accepted = service.jobs.submit(body_of())
    unready = open_service(SETTINGS, home, clock=clock)
    with pytest.raises(StoreError):
        unready.jobs.process(accepted.id)
    # Then it is not lost: when its time is over another works on it
    assert service.jobs.process(accepted.id) is False
    clock.now += CLAIM_SECONDS * 1000
    assert service.jobs.process(accepted.id) is True
    assert service.jobs.find(accepted.id).state == "done"


def test_unknown_and_old_ones_are_not_found(service: PredictionService, clock: Clock) -> None:
    with pytest.raises(UnknownJobError, match="24 hours"):
        service.jobs.find("nobody")
    accepted = service.jobs.submit(body_of())
    clock.now += 24 * HOUR_MS
    with pytest.raises(UnknownJobError):
        service.jobs.find(accepted.id)
    service.tidy()
    assert service.jobs.process(accepted.id) is True  # nothing is left to do


class FullJobStore(SqliteJobStore):
    """A job store that can be neither written nor read."""

    def submit(self, job_id: str, request: bytes, *, at_ms: int, expires_at_ms: int) -> None:
        del request, at_ms, expires_at_ms
        raise StoreError(f"it is full: no space for {job_id}")

    def get(self, job_id: str) -> Job | None:
        raise StoreError(f"it is full: no read of {job_id}")


def test_a_job_that_cannot_be_stored_is_not_accepted(home: Path) -> None:
    service = a_service(home, SETTINGS, jobs=FullJobStore(home / "work.db"))
    with pytest.raises(StoreUnavailableError, match="it is full"):
        service.jobs.submit(body_of())
    with pytest.raises(StoreUnavailableError, match="it is full"):
        service.jobs.find("x")


def test_over_http_it_is_accepted_located_and_done(home: Path) -> None:
    with running_server(a_service(home, SETTINGS)) as url, httpx.Client(base_url=url) as client:
        # Given an accepted request
        accepted = client.post("/model/predict/async", content=body_of(), headers=JSON)
        assert accepted.status_code == 202
        place = accepted.headers["location"]
        assert place == f"/model/predict/async/{accepted.json()['id']}"
        # Then its place soon holds the prediction
        wait_until(lambda: client.get(place).json()["state"] == "done")
        assert client.get(place).json()["prediction"]["flight_id"] == "UA-642-2013123115"
        assert client.get("/model/predict/async/nobody").status_code == 404
