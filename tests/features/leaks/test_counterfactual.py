"""Counterfactual data: equal in all that is known before the instant, different after it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.arrays.arrow import to_instants, to_minutes
from features.arrays.event_arrays import NULL
from features.declare import columns as c
from features.declare.streams import PUBLISHED_AHEAD_MIN
from features.leaks.counterfactual import Dataset, counterfactual
from features.leaks.prover import draw_instants
from tests.features.real_weeks import real_weeks

HORIZON = 120
DEPARTURE = (c.DEPARTED, c.DEPARTURE_DELAY)
ARRIVAL = (c.ARRIVED, c.ARRIVAL_DELAY, c.AIR_TIME, c.STATUS, *DEPARTURE)
KNOWLEDGE = {
    c.DEPARTURE_KNOWN: DEPARTURE,
    c.ARRIVAL_KNOWN: ARRIVAL,
    c.CANCELLATION_KNOWN: (c.STATUS,),
    c.DIVERSION_KNOWN: (c.STATUS, *DEPARTURE),
}


@cache
def instant() -> int:
    return draw_instants(real_weeks(), 3, horizon_min=HORIZON, seed=5)[1]


@pytest.fixture(scope="module")
def other() -> Dataset:
    return counterfactual(real_weeks(), instant(), np.random.default_rng(7))


def known(table: pa.Table, column: str) -> pa.Table:
    """Return what is known by an instant column before the instant, in an order of its own."""
    minutes = to_minutes(table[column])
    rows = table.filter(pa.array((minutes != NULL) & (minutes < instant())))
    key = c.FLIGHT_ID if c.FLIGHT_ID in table.column_names else c.KNOWN
    return rows.sort_by([(key, "ascending")])


@pytest.mark.parametrize("column", KNOWLEDGE)
def test_what_is_known_before_the_instant_is_unchanged(other: Dataset, column: str) -> None:
    # Given the flights of which an event is known before the instant, in both data sets
    wanted = [c.FLIGHT_ID, column, *KNOWLEDGE[column]]
    original, changed = (known(data.flights, column) for data in (real_weeks(), other))
    # Then they are the same flights, and the event the same
    assert len(original) > 0
    assert changed.select(wanted).equals(original.select(wanted))


def test_the_published_schedule_is_unchanged(other: Dataset) -> None:
    # Given the flights whose schedule is published before the instant
    until = to_instants(np.array([instant() + PUBLISHED_AHEAD_MIN]))[0]
    schedule = [c.FLIGHT_ID, c.CARRIER, c.TAIL_NUMBER, c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL]
    original, changed = (
        data.flights.filter(pc.less(data.flights[c.SCHEDULED_DEPARTURE], until))
        .select(schedule)
        .sort_by(c.FLIGHT_ID)
        for data in (real_weeks(), other)
    )
    # Then none is missing, none is added, none is changed
    assert changed.equals(original)


def test_the_weather_known_before_the_instant_is_unchanged(other: Dataset) -> None:
    # Given the observations known before the instant / Then they are the same in both data sets
    keys = [(c.AIRPORT, "ascending"), (c.KNOWN, "ascending")]
    original, changed = (known(w.weather, c.KNOWN).sort_by(keys) for w in (real_weeks(), other))
    assert changed.equals(original)


def test_everything_else_differs(other: Dataset) -> None:
    # Given the flights of the next days, by id
    original, changed = (by_id(data.flights) for data in (real_weeks(), other))
    after = [row for row in original.values() if minute(row[c.SCHEDULED_DEPARTURE]) > instant()]
    published = [row for row in after if row[c.FLIGHT_ID] in changed]
    outcome = (c.DEPARTED, c.ARRIVED, c.CANCELLATION_KNOWN, c.DIVERSION_KNOWN)
    same = [r for r in published if all(r[n] == changed[r[c.FLIGHT_ID]][n] for n in outcome)]
    # Then hardly any has its original outcome
    assert len(same) < len(published) / 50
    # And flights published later are missing, and invented ones are present
    assert 0 < len(published) < len(after)
    assert set(changed) - set(original)


def test_airborne_flights_may_arrive_any_time_or_be_diverted(other: Dataset) -> None:
    # Given the flights in the air at the instant
    original, changed = (by_id(data.flights) for data in (real_weeks(), other))
    airborne = [key for key, row in original.items() if in_the_air(row)]
    assert len(airborne) > 100
    # Then their known departures are unchanged
    assert all(changed[key][c.DEPARTED] == original[key][c.DEPARTED] for key in airborne)
    # And they arrive or are diverted
    ends = {changed[key][c.STATUS] for key in airborne}
    assert ends == {c.ARRIVED_STATUS, c.DIVERTED_STATUS}


def test_much_becomes_known_at_the_very_instant(other: Dataset) -> None:
    # Given counterfactual data / Then departures, arrivals and weather become known at the instant
    for column in (c.DEPARTURE_KNOWN, c.ARRIVAL_KNOWN, c.CANCELLATION_KNOWN):
        assert (to_minutes(other.flights[column]) == instant()).sum() >= 5
    assert (to_minutes(other.weather[c.KNOWN]) == instant()).sum() == 3


def test_rows_are_shuffled_and_lose_their_lineage(other: Dataset) -> None:
    # Given counterfactual data / Then rows are unordered, and the lineage column is missing
    departures = to_minutes(other.flights[c.SCHEDULED_DEPARTURE])
    assert (np.diff(departures) < 0).mean() > 0.4
    assert c.SOURCE_ROW in real_weeks().flights.column_names
    assert c.SOURCE_ROW not in other.flights.column_names


def test_a_flight_is_one_row_with_a_consistent_outcome(other: Dataset) -> None:
    # Given counterfactual flights / Then each id is present once
    rows = by_id(other.flights)
    assert len(rows) == len(other.flights)
    # And each has left before it ends, or is cancelled, as its status states
    for row in rows.values():
        left, arrived = row[c.DEPARTED], row[c.ARRIVED]
        assert (left is None) == (row[c.STATUS] == c.CANCELLED_STATUS)
        assert (arrived is None) == (row[c.STATUS] != c.ARRIVED_STATUS)
        assert arrived is None or arrived > left


def by_id(flights: pa.Table) -> dict[str, dict[str, Any]]:
    outcome = (c.DEPARTED, c.ARRIVED, c.STATUS, *KNOWLEDGE)
    rows = flights.select([c.FLIGHT_ID, c.SCHEDULED_DEPARTURE, *outcome]).to_pylist()
    return {row[c.FLIGHT_ID]: row for row in rows}


def in_the_air(row: dict[str, Any]) -> bool:
    end = row[c.ARRIVAL_KNOWN] or row[c.DIVERSION_KNOWN]
    left = row[c.DEPARTED]
    return left is not None and minute(left) < instant() <= minute(end)


def minute(at: Any) -> int:
    return int(at.timestamp()) // 60
