"""From a request to a flight: the network, local times, daylight saving."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.online.flight_resolver import parse_as_of, to_flight
from serving.schema.clock import iso_minute
from serving.schema.problems import InvalidRequestError
from serving.schema.requests import parse_prediction
from tests.serving.support import NETWORK, body_of

if TYPE_CHECKING:
    from features.online.lookup import Flight


def flight_of(**changes: object) -> Flight:
    return to_flight(parse_prediction(body_of(**changes)), NETWORK)


def times_of(**changes: object) -> tuple[str, str]:
    flight = flight_of(**changes)
    return iso_minute(flight.scheduled_departure_at), iso_minute(flight.scheduled_arrival_at)


def fault_of(**changes: object) -> tuple[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        flight_of(**changes)
    return caught.value.errors[0].field, caught.value.errors[0].problem


def test_local_times_are_those_at_their_airports() -> None:
    # Given New York at 10:25 and San Francisco at 14:04, in winter
    flight = flight_of()
    # Then the instants, the offsets and the distance are those of the data
    assert iso_minute(flight.scheduled_departure_at) == "2013-12-31T15:25:00Z"
    assert iso_minute(flight.scheduled_arrival_at) == "2013-12-31T22:04:00Z"
    assert (flight.origin_utc_offset_min, flight.destination_utc_offset_min) == (-300, -480)
    assert flight.distance_mi == 2586
    assert flight.flight_id == "UA-642-2013123115"


@pytest.mark.parametrize(
    "departure",
    [
        "2013-12-31T10:25:00",
        "2013-12-31T10:25:00.000",
        "2013-12-31T15:25Z",
        "2013-12-31T15:25:00Z",
        "2013-12-31T10:25-05:00",
        "2014-01-01T00:25+09:00",
    ],
)
def test_every_form_of_an_instant_is_the_same_flight(departure: str) -> None:
    assert flight_of(scheduled_departure=departure) == flight_of()


def test_summer_time_is_summer_time() -> None:
    # Given a day in July; Phoenix has no daylight saving
    flight = flight_of(
        origin="EWR",
        destination="PHX",
        scheduled_departure="2013-07-01T06:35",
        scheduled_arrival="2013-07-01T09:10",
    )
    assert (flight.origin_utc_offset_min, flight.destination_utc_offset_min) == (-240, -420)
    assert iso_minute(flight.scheduled_departure_at) == "2013-07-01T10:35:00Z"


def test_a_route_never_seen_has_no_distance() -> None:
    assert flight_of(destination="PHX").distance_mi is None


def test_a_departure_in_a_repeated_hour_is_the_first_of_the_two() -> None:
    # Given 01:30 on the night on which New York's clocks go back
    night = {"scheduled_departure": "2013-11-03T01:30", "scheduled_arrival": "2013-11-03T05:00"}
    assert times_of(**night)[0] == "2013-11-03T05:30:00Z"
    # And the second is named by its offset
    night["scheduled_departure"] = "2013-11-03T01:30-05:00"
    assert times_of(**night)[0] == "2013-11-03T06:30:00Z"


def test_an_arrival_in_a_repeated_hour_is_the_first_after_the_departure() -> None:
    # Given an arrival at 01:30 where the clocks go back, after a departure at 08:50 UTC
    night = {"scheduled_arrival": "2013-11-03T01:30", "origin": "EWR"}
    assert times_of(scheduled_departure="2013-11-03T08:20Z", **night)[1] == "2013-11-03T08:30:00Z"
    assert times_of(scheduled_departure="2013-11-03T08:50Z", **night)[1] == "2013-11-03T09:30:00Z"


def test_a_time_that_the_clocks_skip_is_refused() -> None:
    field, problem = fault_of(
        scheduled_departure="2013-03-10T02:30", scheduled_arrival="2013-03-10T08:00"
    )
    assert field == "scheduled_departure"
    assert "America/New_York" in problem


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("origin", "XXX", "'XXX' is not one of the 5 airports"),
        ("destination", "XXX", "'XXX' is not one of the 5 airports"),
        ("origin", "PHX", "has no departures from 'PHX'"),
        ("destination", "JFK", "the origin, 'JFK', again"),
        ("scheduled_departure", "2013-02-29T10:00", "not a date and time"),
        ("scheduled_departure", "2013-12-31T25:00", "not a date and time"),
        ("scheduled_departure", "2013-12-31T24:00", "not a date and time"),
        ("scheduled_departure", "1889-12-31T10:25", "years 1990 to 2100"),
        ("scheduled_departure", "9999-12-31T23:59-23:00", "years 1990 to 2100"),
        ("scheduled_departure", "2013-12-31T10:25:30", "has seconds"),
        ("scheduled_arrival", "2013-12-31T10:04-05:00", "not after the departure"),
        ("scheduled_arrival", "2013-12-31T10:25-05:00", "not after the departure"),
        ("scheduled_arrival", "2014-01-01T10:26-05:00", "more than 24 hours"),
    ],
)
def test_what_cannot_be_is_named(field: str, value: str, problem: str) -> None:
    found, text = fault_of(**{field: value})
    assert found == field
    assert problem in text


def test_both_unknown_airports_are_reported() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        flight_of(origin="XXX", destination="YYY")
    assert [fault.field for fault in caught.value.errors] == ["origin", "destination"]


def test_as_of_is_an_instant_rounded_down() -> None:
    assert iso_minute(parse_as_of("2013-12-31T12:00:59Z")) == "2013-12-31T12:00:00Z"
    assert parse_as_of("2013-12-31T07:00-05:00") == parse_as_of("2013-12-31T12:00Z")
    with pytest.raises(InvalidRequestError, match="no offset"):
        parse_as_of("2013-12-31T12:00")


instants = st.integers(0, 30 * 365 * 24 * 60).map(
    lambda minute: dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
)


@given(departure=instants, lasts=st.integers(1, 24 * 60))
def test_local_time_and_instant_name_the_same_flight(departure: dt.datetime, lasts: int) -> None:
    # Given a flight in instants, and the same in the clocks of its airports
    arrival = departure + dt.timedelta(minutes=lasts)
    clocks = [
        at.astimezone(ZoneInfo(zone))
        for at, zone in ((departure, "America/New_York"), (arrival, "America/Los_Angeles"))
    ]
    # Then it is the same, but for the second of two equal hours, where only the offset differs
    assume(not any(at.fold for at in clocks))
    exact = flight_of(
        scheduled_departure=departure.isoformat(), scheduled_arrival=arrival.isoformat()
    )
    local = flight_of(
        scheduled_departure=f"{clocks[0]:%Y-%m-%dT%H:%M}",
        scheduled_arrival=f"{clocks[1]:%Y-%m-%dT%H:%M}",
    )
    assert exact == local
    assert exact.scheduled_arrival_at - exact.scheduled_departure_at == lasts
    offset = clocks[0].utcoffset()
    assert offset is not None
    assert exact.origin_utc_offset_min == offset // dt.timedelta(minutes=1)
