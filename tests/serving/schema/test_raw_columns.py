"""Flights with the column names of the raw files: accepted where they mean one thing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.schema.problems import InvalidRequestError
from serving.schema.requests import PredictionRequest, parse_prediction

RAW: dict[str, Any] = {
    "year": 2013,
    "month": 12,
    "day": 31,
    "sched_dep_time": 1025,
    "sched_arr_time": 1404,
    "carrier": "UA",
    "flight": 642,
    "tailnum": "N597UA",
    "origin": "JFK",
    "dest": "SFO",
}
MEANT = PredictionRequest("UA", 642, "JFK", "SFO", "2013-12-31T10:25", "2013-12-31T14:04", "N597UA")


def parsed(**changes: object) -> PredictionRequest:
    fields = {**RAW, **changes}
    return parse_prediction(json.dumps({k: v for k, v in fields.items() if v is not ...}).encode())


def problems(**changes: object) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        parsed(**changes)
    assert all(each.fix for each in caught.value.errors)
    return {each.field: each.problem for each in caught.value.errors}


def test_a_raw_row_is_the_same_request() -> None:
    assert parsed() == MEANT


def test_names_may_be_mixed() -> None:
    assert parsed(dest=..., destination="SFO", flight=..., flight_number=642) == MEANT
    day = {"year": ..., "month": ..., "day": ..., "sched_dep_time": ...}
    assert parsed(scheduled_departure="2013-12-31T10:25", **day) == MEANT


@pytest.mark.parametrize(
    ("departure", "arrival", "arrives"),
    [
        (5, 4, "2014-01-01T00:04"),
        (2359, 344, "2014-01-01T03:44"),
        (2100, 2400, "2014-01-01T00:00"),
        (0, 1, "2013-12-31T00:01"),
    ],
)
def test_an_arrival_is_the_first_such_time_after_the_departure(
    departure: int, arrival: int, arrives: str
) -> None:
    found = parsed(sched_dep_time=departure, sched_arr_time=arrival)
    assert found.scheduled_arrival == arrives


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"year": ...}, {"year"}),
        ({"year": ..., "sched_dep_time": ...}, {"year", "sched_dep_time"}),
        ({"sched_dep_time": 1060}, {"sched_dep_time"}),
        ({"sched_dep_time": 2400}, {"sched_dep_time"}),
        ({"sched_dep_time": "1025"}, {"sched_dep_time"}),
        ({"sched_dep_time": True}, {"sched_dep_time"}),
        ({"sched_arr_time": 2500}, {"sched_arr_time"}),
        ({"sched_arr_time": None}, {"sched_arr_time"}),
        ({"month": 13}, {"day"}),
        ({"month": "12"}, {"month"}),
        ({"year": 10**4000}, {"day"}),
        ({"flight": "642"}, {"flight"}),
        ({"dest": "sfo", "tailnum": ""}, {"dest", "tailnum"}),
        ({"flight_number": 642}, {"flight"}),
        ({"scheduled_departure": "2013-12-31T10:25"}, {"year"}),
        ({"scheduled_arrival": "2013-12-31T14:04"}, {"sched_arr_time"}),
        ({"dep_time": 1031, "dep_delay": 6.0}, {"dep_time", "dep_delay"}),
        ({"distance": 2586, "hour": 10, "minute": 25}, {"distance", "hour", "minute"}),
        ({"time_hour": "2013-12-31T15:00:00Z"}, {"time_hour"}),
        ({"carrier": ..., "dest": 5, "dset": 1}, {"carrier", "dest", "dset"}),
    ],
)
def test_what_is_not_clear_is_named_as_it_was_sent(
    changes: dict[str, object], named: set[str]
) -> None:
    assert set(problems(**changes)) == named


def test_an_arrival_without_the_local_day_of_its_departure_is_refused() -> None:
    day = {"year": ..., "month": ..., "day": ..., "sched_dep_time": ...}
    assert set(problems(scheduled_departure="2013-12-31T15:25Z", **day)) == {"sched_arr_time"}
    assert set(problems(**day)) == {"scheduled_departure"}
