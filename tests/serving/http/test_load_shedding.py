"""Load shedding."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest

from serving.http.load_shedding import LoadShedder
from serving.schema.problems import OverloadedError
from serving.settings import LimitSettings
from serving.telemetry.metrics import Metrics
from tests.serving.support import SETTINGS, a_service, body_of, running_server

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"content-type": "application/json"}


def test_requests_are_shed_by_their_number_and_by_event_loop_lag() -> None:
    metrics = Metrics()
    shedder = LoadShedder(most_waiting=2, most_lag_seconds=0.1, metrics=metrics)
    shedder.admit()
    shedder.waiting = 3
    with pytest.raises(OverloadedError) as caught:
        shedder.admit()
    assert dict(caught.value.headers) == {b"retry-after": b"1"}
    shedder.waiting = 0
    shedder.observe_lag(0.2)
    with pytest.raises(OverloadedError):
        shedder.admit()
    shedder.observe_lag(0.0)
    shedder.admit()
    text = metrics.text({})
    assert b'ontime_shed_total{reason="waiting"} 1.0' in text
    assert b'ontime_shed_total{reason="lag"} 1.0' in text


def test_the_event_loop_lag_is_measured() -> None:
    shedder = LoadShedder(most_waiting=9, most_lag_seconds=0.1, metrics=Metrics())

    async def busy() -> None:
        watching = asyncio.create_task(shedder.watch())
        await asyncio.sleep(0.01)
        time.sleep(0.4)  # noqa: ASYNC251 - what is to be noticed
        await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(busy())
    with pytest.raises(OverloadedError):
        shedder.admit()


def test_an_overloaded_server_answers_503(home: Path) -> None:
    limits = LimitSettings(requests_per_second=0, most_waiting=1, body_seconds=2)
    options = msgspec.structs.replace(SETTINGS, limits=limits)
    with running_server(a_service(home, options)) as url:

        async def send_requests() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=url, headers=JSON) as client:
                return await asyncio.gather(
                    *(client.post("/model/predict", content=body_of()) for _ in range(40))
                )

        answers = asyncio.run(send_requests())
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        shed = [answer for answer in answers if answer.status_code == 503]
        assert {answer.headers["retry-after"] for answer in shed} == {"1"}
        # And the health check still answers, and then all other requests do
        assert httpx.get(f"{url}/health").is_success
        assert httpx.post(f"{url}/model/predict", content=body_of(), headers=JSON).is_success
