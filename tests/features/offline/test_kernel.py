"""The kernel against an independent reference implementation, one flight at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arithmetic import same
from features.arrays.arrow import to_events
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import (
    ORIGIN,
    Feature,
    Minutes,
    Sum,
)
from features.offline.feature_table import features_table
from features.offline.kernel import Kernel
from tests.features.factories import at, flight, flights_table, weather_table
from tests.features.oracle import resolved
from tests.features.strategies import silver_rows

HORIZON = 120
NUMERIC = [feature for feature in FEATURES if feature.dtype == "float64"]


def computed(
    flights: list[dict[str, Any]], weather: list[dict[str, Any]], horizon: int = HORIZON
) -> dict[str, Any]:
    """Return the features of every flight by flight id."""
    wanted = np.ones(len(flights), dtype=np.bool_)
    table = features_table(
        flights_table(flights), weather_table(weather), wanted, horizon_min=horizon
    )
    return {row[c.FLIGHT_ID]: row for row in table.to_pylist()}


def expected(
    feature: Feature,
    own: dict[str, Any],
    flights: list[dict[str, Any]],
    weather: list[dict[str, Any]],
    horizon: int = HORIZON,
) -> float:
    values = [resolved(item, own, flights, weather, horizon) for item in feature.inputs]
    floats = [np.float64(np.nan if value is None else value) for value in values]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(feature.compute(*floats))


@settings(max_examples=25, deadline=None)
@given(silver_rows(earliest=-90), st.sampled_from([HORIZON, 30, 1]))
def test_every_feature_equals_the_reference_implementation(
    data: tuple[list[dict[str, Any]], list[dict[str, Any]]], horizon: int
) -> None:
    # Given some days of flights and weather / When the kernel computes them
    flights, weather = data
    found = computed(flights, weather, horizon)
    # Then every feature of every flight equals the reference implementation
    for own in flights:
        for feature in NUMERIC:
            value = found[own[c.FLIGHT_ID]][feature.name]
            wanted = expected(feature, own, flights, weather, horizon)
            assert (value is None) == math.isnan(wanted), (feature.name, value, wanted)
            assert value is None or value == wanted, (feature.name, value, wanted)


@settings(max_examples=12, deadline=None)
@given(silver_rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    data: tuple[list[dict[str, Any]], list[dict[str, Any]]], random: Any
) -> None:
    # Given the same rows in another order
    flights, weather = data
    shuffled = random.sample(flights, len(flights)), random.sample(weather, len(weather))
    # When both are computed / Then they are the same
    assert computed(*shuffled) == computed(flights, weather)


def test_an_event_counts_from_the_minute_after_it_is_known() -> None:
    # Given a departure known at minute 880, one minute before one prediction time, at the other
    before = flight(860, delay=20, **{c.FLIGHT_NUMBER: 7})
    sees = flight(881 + HORIZON, **{c.FLIGHT_NUMBER: 8})
    too_early = flight(880 + HORIZON, **{c.FLIGHT_NUMBER: 9})
    # When features are computed
    found = computed([before, sees, too_early], [])
    # Then only the later prediction has it
    assert found[sees[c.FLIGHT_ID]]["departure_delay_origin_1h"] == 20
    assert found[too_early[c.FLIGHT_ID]]["departure_delay_origin_1h"] is None


def test_a_flight_that_left_early_does_not_see_itself() -> None:
    # Given a flight that leaves three hours early, before its own prediction time
    own = flight(2000, delay=-180, late=-150)
    # When its features are computed
    found = computed([own], [])[own[c.FLIGHT_ID]]
    # Then neither its own departure nor its own schedule counts as an earlier event
    assert found["leg_since_schedule"] is None
    assert found["departure_delay_origin_3h"] is None
    assert found["tail_departure_delay"] is None
    # And for a flight predicted a minute later, its departure counts
    later = flight(2001, **{c.FLIGHT_NUMBER: 2})
    both = computed([own, later], [])
    assert both[later[c.FLIGHT_ID]]["departure_delay_origin_3h"] == -180


@settings(max_examples=25, deadline=None)
@given(silver_rows(earliest=-90), st.sampled_from([60, 30, 1]), st.data())
def test_the_outcome_of_a_flight_does_not_change_its_own_features(
    data: tuple[list[dict[str, Any]], list[dict[str, Any]]], horizon: int, draw: st.DataObject
) -> None:
    # Given silver rows, and the same ones with another outcome of one flight
    flights, weather = data
    place = draw.draw(st.integers(0, len(flights) - 1))
    own = flights[place]
    other = dict(own) | {
        c.DEPARTURE_DELAY: None, c.ARRIVAL_DELAY: None, c.AIR_TIME: None,
        c.DEPARTURE_KNOWN: None, c.ARRIVAL_KNOWN: None, c.CANCELLATION_KNOWN: at(99_999),
    }  # fmt: skip
    # When both are computed at a short horizon
    changed = [*flights[:place], other, *flights[place + 1 :]]
    before = computed(flights, weather, horizon)[own[c.FLIGHT_ID]]
    after = computed(changed, weather, horizon)[own[c.FLIGHT_ID]]
    # Then that flight has the same features; its label is another one
    assert {**before, c.LABEL: None} == {**after, c.LABEL: None}


def test_a_cancelled_flight_is_overdue_for_three_hours_then_cancelled() -> None:
    # Given a flight cancelled at minute 1000 (known at 1180)
    gone = flight(1000, delay=None, **{c.FLIGHT_NUMBER: 7})
    during = flight(1180 + HORIZON, **{c.FLIGHT_NUMBER: 8})
    after = flight(1181 + HORIZON, **{c.FLIGHT_NUMBER: 9})
    # When others are predicted just before and just after it is known
    found = computed([gone, during, after], [])
    # Then it is overdue first, and counted as cancelled after
    first, then = found[during[c.FLIGHT_ID]], found[after[c.FLIGHT_ID]]
    assert (first["overdue_count_origin"], first["overdue_minutes_origin"]) == (1, 180)
    assert (first["cancelled_origin_12h"], then["cancelled_origin_12h"]) == (0, 1)
    assert then["overdue_count_origin"] == 0


def test_only_wanted_flights_are_returned() -> None:
    # Given two flights of which one is wanted
    flights = flights_table([flight(100), flight(900, **{c.FLIGHT_NUMBER: 2})])
    # When features are computed
    wanted = np.array([False, True])
    table = features_table(flights, weather_table([]), wanted, horizon_min=HORIZON)
    # Then only that one is returned, with the other as its past
    assert table[c.FLIGHT_ID].to_pylist() == [flights[c.FLIGHT_ID][1].as_py()]
    assert table["leg_since_schedule"].to_pylist() == [800.0]


def test_an_unknown_measure_is_named() -> None:
    # Given a feature that sums a measure its stream does not have
    item = Sum("departures", "nonsense", ORIGIN, Minutes(60))
    feature = Feature("x", "recent", "min", "", "", (item,), same)
    events = to_events(flights_table([flight(100)]), weather_table([]))
    kernel = Kernel(*events, np.array([True]), horizon_min=HORIZON)
    # When it is computed / Then stream and measure are named
    with pytest.raises(KeyError, match=r"departures.*no measure 'nonsense'"):
        kernel.compute([feature])
