"""One flight's features from the online items equal the kernel's over the whole table."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from features import columns as c
from features.contract import contract_of
from features.items import decode
from features.online import Flight, features_of, key_of, keys_of
from features.online_items import online_items
from features.table import features_table
from tests.features.factories import flight, flights_table, observation, weather_table
from tests.features.oracle import minute
from tests.features.test_kernel import worlds

HORIZON = 120
CONTRACT = contract_of(HORIZON, 0.5)
World = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def as_flight(row: dict[str, Any]) -> Flight:
    return Flight(
        carrier=row[c.CARRIER],
        flight_number=row[c.FLIGHT_NUMBER],
        origin=row[c.ORIGIN],
        destination=row[c.DESTINATION],
        scheduled_departure_at=minute(row[c.SCHEDULED_DEPARTURE]),
        scheduled_arrival_at=minute(row[c.SCHEDULED_ARRIVAL]),
        origin_utc_offset_min=row[c.ORIGIN_OFFSET],
        destination_utc_offset_min=row[c.DESTINATION_OFFSET],
        distance_mi=row[c.DISTANCE],
        tail_number=row[c.TAIL_NUMBER],
    )


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_online_and_offline_features_are_equal(world: World) -> None:
    # Given the feature table and the online items of the same days
    flights, weather = flights_table(world[0]), weather_table(world[1])
    wanted = np.ones(len(world[0]), dtype=np.bool_)
    offline = features_table(flights, weather, wanted, horizon_min=HORIZON).to_pylist()
    items = dict(online_items(flights, weather, retain_days=6))
    rows = {row[c.FLIGHT_ID]: row for row in world[0]}
    for gold in offline:
        # When a flight's features are looked up as of its prediction time
        own = as_flight(rows[gold[c.FLIGHT_ID]])
        held = {key: items[key] for key in keys_of(own) if key in items}
        as_of = own.scheduled_departure_at - HORIZON
        values, missing = features_of(own, as_of, held, CONTRACT)
        # Then they are the feature table's, and what is missing is named
        names = [spec.name for spec in CONTRACT.features]
        assert values == [gold[name] for name in names]
        assert missing == [name for name in names if gold[name] is None]


def test_without_items_features_are_missing_or_zero_never_an_error() -> None:
    # Given a flight without an aircraft, and an empty online store
    own = as_flight(flight(1000, **{c.TAIL_NUMBER: None}))
    # When its features are looked up
    values, missing = features_of(own, own.scheduled_departure_at - HORIZON, {}, CONTRACT)
    # Then the schedule is there, and what events would tell is missing or zero
    found = dict(zip((spec.name for spec in CONTRACT.features), values, strict=True))
    assert found["carrier"] == "AA"
    assert found["overdue_count_all"] == 0
    assert {"temperature", "departure_delay_all_1h", "leg_delay"} <= set(missing)


def test_an_earlier_request_sees_less() -> None:
    # Given a departure known at minute 900, and a flight predicted at 1000
    rows = [flight(880, delay=20), flight(1120, **{c.FLIGHT_NUMBER: 2})]
    items = dict(online_items(flights_table(rows), weather_table([]), retain_days=2))
    own, start = as_flight(rows[1]), minute(rows[0][c.SCHEDULED_DEPARTURE]) - 880
    # When it is asked for as of minute 900, and of 901
    contract = contract_of(HORIZON, 0.5, ["departure_delay_origin_1h"])
    at_900, after = (features_of(own, start + m, items, contract)[0] for m in (900, 901))
    # Then only the later one has the departure
    assert (at_900, after) == ([None], [20.0])


def test_keys_name_the_entity() -> None:
    # Given a flight / When its keys are listed / Then each entity has one, missing parts none
    own = as_flight(flight(1000, **{c.TAIL_NUMBER: None}))
    assert {"all", "origin=JFK", "origin=JFK|carrier=AA"} <= set(keys_of(own))
    assert not [key for key in keys_of(own) if "tail" in key]
    assert key_of((c.TAIL_NUMBER,), {c.TAIL_NUMBER: None}) is None


def test_the_flight_id_has_the_utc_hour() -> None:
    # Given a flight that leaves at 20:00 in New York, which is 01:00 UTC on the next day
    own = as_flight(flight(60))
    # When / Then
    assert own.flight_id == "AA-1-2013030101"
    assert own.local_hour == 20


def test_items_keep_no_more_than_they_need() -> None:
    # Given 40 days of one flight a day
    rows = [flight(1440 * day, **{c.FLIGHT_NUMBER: 5}) for day in range(40)]
    table = flights_table(rows)
    # When items are made that answer for the last day
    items = dict(online_items(table, weather_table([observation(10)]), retain_days=1))
    # Then recent events go back 5 days (1 + 4), and day totals 28 days more
    item = decode(items["carrier=AA|flight_number=5"])
    tracked = decode(items["origin=JFK"]).tracks["departures"].minutes.cast("q")
    assert len(tracked) == 6
    days = item.days["arrivals"]["late"]
    assert max(days) - min(days) == 33
    assert (
        max(days) == rows[-1][c.SCHEDULED_DEPARTURE].toordinal() - dt.date(1970, 1, 1).toordinal()
    )


@pytest.mark.parametrize("retain_days", [0, 3])
def test_an_empty_table_has_no_items(retain_days: int) -> None:
    # Given no flights / When / Then there are no items
    assert not list(online_items(flights_table([]), weather_table([]), retain_days=retain_days))
