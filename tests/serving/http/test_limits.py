"""How much is taken on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest

from serving.http.api import Api
from serving.http.limits import MOST_CALLERS, LoadGate, RateLimit
from serving.http.messages import Request
from serving.schema.problems import OverloadedError, TooManyRequestsError
from serving.settings import LimitOptions
from serving.telemetry.metrics import Metrics
from tests.serving.support import SETTINGS, a_service, body_of, running_server

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"content-type": "application/json"}


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_up_again() -> None:
    # Given 2 requests a second, and 3 at once
    clock = Time()
    limit = RateLimit(per_second=2, burst=3, seconds=clock)
    for _ in range(3):
        limit.take("a")
    # Then a fourth is refused, and told when to come again
    with pytest.raises(TooManyRequestsError) as caught:
        limit.take("a")
    assert dict(caught.value.headers) == {b"retry-after": b"1"}
    # And another caller is another matter, and time fills the bucket, up to its size
    limit.take("b")
    clock.now += 0.5
    limit.take("a")
    with pytest.raises(TooManyRequestsError):
        limit.take("a")
    clock.now += 1000
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequestsError):
        limit.take("a")


def test_it_knows_only_so_many_callers() -> None:
    limit = RateLimit(per_second=1, burst=1, seconds=Time())
    for caller in range(MOST_CALLERS + 100):
        limit.take(str(caller))
    assert len(limit._buckets) == MOST_CALLERS


def test_no_rate_is_no_limit() -> None:
    limit = RateLimit(per_second=0, burst=1, seconds=Time())
    for _ in range(100):
        limit.take("a")


def test_a_caller_over_its_rate_gets_429(home: Path) -> None:
    limits = LimitOptions(requests_per_second=1, burst=2)
    api = Api(a_service(home, msgspec.structs.replace(SETTINGS, limits=limits)))
    statuses = [api.answer(Request("GET", "/model", client="192.0.2.1")) for _ in range(3)]
    assert [reply.status for reply in statuses] == [200, 200, 429]
    assert dict(statuses[-1].headers)[b"retry-after"] == b"1"
    # And others, and the health check, go on
    assert api.answer(Request("GET", "/model", client="192.0.2.2")).status == 200
    assert api.answer(Request("GET", "/health", client="192.0.2.1")).status == 200


def test_the_gate_shuts_by_what_waits_and_by_how_late_the_loop_is() -> None:
    metrics = Metrics()
    gate = LoadGate(most_waiting=2, most_lag_seconds=0.1, metrics=metrics)
    gate.enter()
    gate.waiting = 3
    with pytest.raises(OverloadedError) as caught:
        gate.enter()
    assert dict(caught.value.headers) == {b"retry-after": b"1"}
    gate.waiting = 0
    gate.seen(0.2)
    with pytest.raises(OverloadedError):
        gate.enter()
    gate.seen(0.0)
    gate.enter()
    text = metrics.text({})
    assert b'ontime_shed_total{reason="waiting"} 1' in text
    assert b'ontime_shed_total{reason="lag"} 1' in text


def test_it_sees_how_late_the_loop_is() -> None:
    gate = LoadGate(most_waiting=9, most_lag_seconds=0.1, metrics=Metrics())

    async def busy() -> None:
        watching = asyncio.create_task(gate.watch())
        await asyncio.sleep(0.01)
        time.sleep(0.4)  # noqa: ASYNC251 - what is to be noticed
        await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(busy())
    with pytest.raises(OverloadedError):
        gate.enter()


def test_a_body_that_does_not_come_is_not_awaited(home: Path) -> None:
    # Given a caller that sends half of a body, and then nothing
    limits = LimitOptions(body_seconds=0.2)
    options = msgspec.structs.replace(SETTINGS, limits=limits)
    with running_server(a_service(home, options)) as url:
        host, port = url.removeprefix("http://").split(":")

        async def dawdle(sent: bytes) -> bytes:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            answer = await asyncio.wait_for(reader.read(4096), timeout=10)
            writer.close()
            return answer

        head = b"POST /model/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        answer = asyncio.run(dawdle(head + b"content-length: 99\r\n\r\n{"))
        # Then it is told so
        assert b"408" in answer.splitlines()[0]
        # And who does not even finish a head, or begins none, is hung up on
        assert asyncio.run(dawdle(head)) == b""
        assert asyncio.run(dawdle(b"")) == b""
        # And others are answered meanwhile
        assert httpx.post(f"{url}/model/predict", content=body_of(), headers=JSON).is_success


def test_a_server_with_too_much_to_do_says_so(home: Path) -> None:
    limits = LimitOptions(most_waiting=1, body_seconds=2)
    options = msgspec.structs.replace(SETTINGS, limits=limits)
    with running_server(a_service(home, options)) as url:

        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=url, headers=JSON) as client:
                return await asyncio.gather(
                    *(client.post("/model/predict", content=body_of()) for _ in range(40))
                )

        answers = asyncio.run(ask())
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        shed = [answer for answer in answers if answer.status_code == 503]
        assert {answer.headers["retry-after"] for answer in shed} == {"1"}
        # And the health check goes on, and then so does all else
        assert httpx.get(f"{url}/health").is_success
        assert httpx.post(f"{url}/model/predict", content=body_of(), headers=JSON).is_success
