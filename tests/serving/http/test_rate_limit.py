"""Rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from serving.http.api import Api
from serving.http.messages import Request
from serving.http.rate_limit import MAX_CALLERS, RateLimit
from serving.schema.problems import TooManyRequestsError
from serving.settings import LimitSettings
from tests.serving.support import SETTINGS, a_service

if TYPE_CHECKING:
    from pathlib import Path


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_refills() -> None:
    # Given a limit of 2 requests a second with a burst of 3
    clock = Time()
    limit = RateLimit(per_second=2, burst=3, seconds=clock)
    for _ in range(3):
        limit.take("a")
    # Then a fourth is refused, with the time after which to retry
    with pytest.raises(TooManyRequestsError) as caught:
        limit.take("a")
    assert dict(caught.value.headers) == {b"retry-after": b"1"}
    # And another caller has a bucket of its own, and time refills a bucket, up to its size
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


def test_the_number_of_buckets_is_bounded() -> None:
    limit = RateLimit(per_second=1, burst=1, seconds=Time())
    for caller in range(MAX_CALLERS + 100):
        limit.take(str(caller))
    assert len(limit) == MAX_CALLERS


def test_without_a_rate_there_is_no_limit() -> None:
    limit = RateLimit(per_second=0, burst=1, seconds=Time())
    for _ in range(100):
        limit.take("a")


def test_a_caller_over_its_rate_gets_429(home: Path) -> None:
    limits = LimitSettings(requests_per_second=1, burst=2)
    api = Api(a_service(home, msgspec.structs.replace(SETTINGS, limits=limits)))
    statuses = [api.answer(Request("GET", "/model", client="192.0.2.1")) for _ in range(3)]
    assert [reply.status for reply in statuses] == [200, 200, 429]
    assert dict(statuses[-1].headers)[b"retry-after"] == b"1"
    # And others, and the health check, are still answered
    assert api.answer(Request("GET", "/model", client="192.0.2.2")).status == 200
    assert api.answer(Request("GET", "/health", client="192.0.2.1")).status == 200
