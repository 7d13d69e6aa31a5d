"""Features looked up online equal those that the kernel computes over the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract.feature_contract import contract_of
from features.declare import columns as c
from features.offline.feature_table import features_table
from features.online.item_keys import key_of
from features.online.items_from_silver import online_items
from features.online.lookup import features_of, keys_of, lookup_of
from tests.features.factories import as_flight, flight, flights_table, observation, weather_table
from tests.features.oracle import minute
from tests.features.strategies import silver_rows

HORIZON = 120
CONTRACT = contract_of(HORIZON, 0.5)
Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@settings(max_examples=20, deadline=None)
@given(silver_rows(earliest=-90), st.sampled_from([HORIZON, 30, 1]))
def test_online_and_offline_features_are_equal(drawn: Rows, horizon: int) -> None:
    # Given the feature table and the online items of the same days
    flights, weather = flights_table(drawn[0]), weather_table(drawn[1])
    wanted = np.ones(len(drawn[0]), dtype=np.bool_)
    offline = features_table(flights, weather, wanted, horizon_min=horizon).to_pylist()
    items = dict(online_items(flights, weather, retain_days=6, horizon_min=horizon))
    rows = {row[c.FLIGHT_ID]: row for row in drawn[0]}
    for gold in offline:
        # When a flight's features are looked up as of its prediction time
        own = as_flight(rows[gold[c.FLIGHT_ID]])
        as_of = own.scheduled_departure_at - horizon
        held = {key: items[key] for key in keys_of(own, as_of, CONTRACT) if key in items}
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
    # Then the features of the schedule are present, and those of events are missing or zero
    found = dict(zip((spec.name for spec in CONTRACT.features), values, strict=True))
    assert found["carrier"] == "AA"
    assert found["overdue_count_all"] == 0
    assert {"temperature", "departure_delay_all_1h", "leg_delay"} <= set(missing)


def test_an_earlier_request_sees_less() -> None:
    # Given a departure known at minute 900, and a flight predicted at 1000
    rows = [flight(880, delay=20), flight(1120, **{c.FLIGHT_NUMBER: 2})]
    items = dict(online_items(flights_table(rows), weather_table([]), retain_days=2))
    own, start = as_flight(rows[1]), minute(rows[0][c.SCHEDULED_DEPARTURE]) - 880
    # When it is requested as of minute 900, and of 901
    contract = contract_of(HORIZON, 0.5, ["departure_delay_origin_1h"])
    at_900, after = (features_of(own, start + m, items, contract)[0] for m in (900, 901))
    # Then only the later one has the departure
    assert (at_900, after) == ([None], [20.0])


def test_keys_name_the_entity_and_the_day() -> None:
    # Given a flight at 05:00 on March 1, predicted at 03:00, without an aircraft
    own = as_flight(flight(300, **{c.TAIL_NUMBER: None}))
    # When its keys are listed
    keys = keys_of(own, own.scheduled_departure_at - HORIZON, CONTRACT)
    # Then each entity has those of the days it looks back to, missing parts none, and they are few
    assert {"all@2013-03-01", "all@2013-02-28", "origin=JFK|carrier=AA@2013-03-01"} <= set(keys)
    assert {"carrier=AA|flight_number=1#2013-02-08"} <= set(keys)
    assert not [key for key in keys if "tail" in key]
    assert key_of((c.TAIL_NUMBER,), {c.TAIL_NUMBER: None}) is None
    assert len(keys) <= 40


def test_the_flight_id_has_the_utc_hour() -> None:
    # Given a flight that leaves at 20:00 in New York, which is 01:00 UTC on the next day
    own = as_flight(flight(60))
    # When / Then
    assert own.flight_id == "AA-1-2013030101"
    assert own.local_hour == 20


def test_the_newest_known_at_minute_comes_with_the_features() -> None:
    # Given a departure known at minute 900 and a weather report known at 930
    rows = [flight(880, delay=20), flight(1120, **{c.FLIGHT_NUMBER: 2})]
    items = dict(
        online_items(flights_table(rows), weather_table([observation(930)]), retain_days=2)
    )
    own, start = as_flight(rows[1]), minute(rows[0][c.SCHEDULED_DEPARTURE]) - 880
    # When a flight is looked up after both, and between them
    later, between = (lookup_of(own, start + m, CONTRACT).resolve(items) for m in (1000, 910))
    # Then the newest known-at minute of each table is returned
    assert later.newest == {"flights": start + 900, "weather": start + 930}
    assert between.newest == {"flights": start + 900, "weather": None}


def test_an_item_that_cannot_be_read_is_missing_and_counted() -> None:
    # Given items of which one is cut short, and one was written by another version of the code
    rows = [flight(880, delay=20), flight(1120, **{c.FLIGHT_NUMBER: 2})]
    items = dict(online_items(flights_table(rows), weather_table([]), retain_days=2))
    own = as_flight(rows[1])
    lookup = lookup_of(own, own.scheduled_departure_at - HORIZON, CONTRACT)
    assert lookup.resolve(items).unreadable == 0
    items["origin=JFK@2013-03-01"] = items["origin=JFK@2013-03-01"][:-4]
    items["all@2013-03-01"] = b"\0" * 4 + items["all@2013-03-01"][4:]
    # When features are looked up / Then theirs are missing or zero, and the two are counted
    found = lookup.resolve(items)
    assert found.unreadable == 2
    assert "departure_delay_origin_3h" in found.missing
    assert "departure_delay_carrier_3h" not in found.missing
