"""Time traps on the real rows in which they occur; docs/time.md lists them.

Expected instants were computed by hand from the row and the clocks of its airports.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from features.arithmetic import same
from features.arrays.arrow import FLIGHT_COLUMNS
from features.catalog import FEATURES
from features.contract.feature_contract import contract_of
from features.declare import columns as c
from features.declare.declarations import (
    FLIGHT,
    Feature,
    Minutes,
    Sum,
)
from features.declare.streams import COUNT, DEPARTURES
from features.leaks.counterfactual import Dataset
from features.offline.feature_table import features_table
from features.online.items_from_silver import online_items
from features.online.lookup import features_of, keys_of
from features.silver.silver_tables import SILVER
from tests.features.factories import as_flight
from tests.features.raw_rows import ZONES, raw_frame
from tests.features.real_rows import all_received, one_received
from tests.features.real_weeks import real_period

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = {
    "arrives past midnight": (1, 1, "UA", 1241, "TPA"),
    "is due past midnight, arrives before": (1, 1, "UA", 1482, "LAX"),
    "leaves past midnight": (1, 2, "B6", 22, "SYR"),
    "left at 2400": (12, 9, "B6", 1816, "SYR"),
    "arrived at 2400": (1, 5, "B6", 383, "FLL"),
    "last before summer time": (3, 9, "B6", 727, "BQN"),
    "first of summer time": (3, 10, "US", 1113, "CLT"),
    "last of summer time": (11, 2, "B6", 745, "PSE"),
    "first of winter time": (11, 3, "UA", 322, "IAH"),
    "to BQN": (1, 1, "B6", 725, "BQN"),
    "to SJU": (1, 1, "B6", 709, "SJU"),
    "to STT": (1, 1, "AA", 655, "STT"),
    "to PSE": (1, 1, "B6", 739, "PSE"),
    "diverted and landed": (1, 1, "MQ", 4525, "XNA"),
    "diverted": (1, 1, "EV", 4204, "OKC"),
    "cancelled": (1, 1, "EV", 4308, "RDU"),
    "21 hours late": (1, 9, "HA", 51, "HNL"),
    "one aircraft, two flights: flown": (1, 13, "EV", 3272, "CLE"),
    "one aircraft, two flights: cancelled": (1, 13, "EV", 4106, "GSO"),
}
MORE_ZONES = {
    "TPA": "America/New_York", "SYR": "America/New_York", "FLL": "America/New_York",
    "CLE": "America/New_York", "GSO": "America/New_York", "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}  # fmt: skip
EARLY = ((11, 10, "EV", 5713, "IAD"), (12, 7, "B6", 97, "DEN"), (2, 3, "DL", 1715, "MSY"))


@pytest.fixture(scope="module")
def silver(spark: SparkSession) -> dict[str, Any]:
    """The real rows as silver has them."""
    received = {name: one_received(*row) for name, row in ROWS.items()}
    bronze = raw_frame(spark, "flights", *received.values())
    zones = list((ZONES | MORE_ZONES).items())
    airports = spark.createDataFrame(zones, "airport string, timezone string")
    rows = SILVER["flights"].candidates(bronze, airports).orderBy(F.col(c.SOURCE_ROW)).collect()
    assert [row for row in rows if row.refusal] == []
    return dict(zip(received, rows, strict=True))


def utc(instant: dt.datetime | None) -> str | None:
    """Return an instant that Spark handed out, in UTC and short."""
    return None if instant is None else f"{instant.astimezone(dt.UTC):%m-%d %H:%M}"


INSTANTS = [
    # flight, scheduled departure, departed, scheduled arrival, arrived; all in UTC
    ("arrives past midnight", "01-02 02:00", "01-02 01:58", "01-02 04:59", "01-02 05:08"),
    ("is due past midnight, arrives before",
     "01-02 01:30", "01-02 01:35", "01-02 08:05", "01-02 07:37"),
    ("leaves past midnight", "01-03 03:50", "01-03 06:26", "01-03 04:59", "01-03 07:33"),
    ("left at 2400", "12-10 03:50", "12-10 05:00", "12-10 04:56", "12-10 05:59"),
    ("arrived at 2400", "01-06 02:30", "01-06 02:16", "01-06 05:18", "01-06 05:00"),
    ("last before summer time", "03-10 04:59", "03-10 05:53", "03-10 08:38", "03-10 09:04"),
    ("first of summer time", "03-10 09:00", "03-10 08:54", "03-10 10:48", "03-10 10:28"),
    ("last of summer time", "11-03 03:59", "11-03 03:46", "11-03 07:45", "11-03 07:53"),
    ("first of winter time", "11-03 10:20", "11-03 10:19", "11-03 14:00", "11-03 13:51"),
    ("to BQN", "01-01 10:45", "01-01 10:44", "01-01 14:22", "01-01 14:04"),
    ("to SJU", "01-01 11:15", "01-01 11:15", "01-01 15:00", "01-01 14:39"),
    ("to STT", "01-01 13:10", "01-01 14:09", "01-01 17:15", "01-01 17:31"),
    ("to PSE", "01-02 04:59", "01-02 04:53", "01-02 08:45", "01-02 08:25"),
    ("diverted and landed", "01-01 20:30", "01-01 20:25", "01-02 00:05", None),
    ("diverted", "01-02 00:30", "01-02 01:16", "01-02 04:20", None),
    ("cancelled", "01-01 21:30", None, "01-01 23:15", None),
    ("21 hours late", "01-09 14:00", "01-10 11:41", "01-10 01:30", "01-10 22:42"),
]  # fmt: skip


@pytest.mark.spark
@pytest.mark.parametrize("expected", INSTANTS, ids=lambda row: row[0])
def test_clocks_become_instants(silver: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    # Given a real row / When silver is built from it / Then its instants are those computed by hand
    row = silver[expected[0] or ""]
    names = (c.SCHEDULED_DEPARTURE, c.DEPARTED, c.SCHEDULED_ARRIVAL, c.ARRIVED)
    assert tuple(utc(row[name]) for name in names) == expected[1:]


@pytest.mark.spark
def test_the_local_day_is_that_of_the_schedule_at_the_origin(silver: dict[str, Any]) -> None:
    # Given flights whose UTC day, or actual day, is another one
    days = {name: silver[name][c.FLIGHT_DATE] for name in ("leaves past midnight", "left at 2400")}
    # Then they belong to the day of their timetable
    assert days == {
        "leaves past midnight": dt.date(2013, 1, 2),
        "left at 2400": dt.date(2013, 12, 9),
    }


@pytest.mark.spark
def test_offsets_follow_the_clocks_of_each_airport(silver: dict[str, Any]) -> None:
    # Given the last and first flights around both changes of the clocks
    offsets = {
        name: (silver[name][c.ORIGIN_OFFSET], silver[name][c.DESTINATION_OFFSET])
        for name in ROWS
        if "time" in name
    }
    # Then New York changes, Puerto Rico does not, and Houston does
    assert offsets == {
        "last before summer time": (-300, -240),
        "first of summer time": (-240, -240),
        "last of summer time": (-240, -240),
        "first of winter time": (-300, -360),
    }


@pytest.mark.spark
def test_event_time_and_known_time_are_different_columns(silver: dict[str, Any]) -> None:
    # Given flights that arrived, were cancelled and were diverted / Then what is known, and when
    arrived, cancelled, diverted = (
        silver[name] for name in ("arrives past midnight", "cancelled", "diverted and landed")
    )
    assert utc(arrived[c.ARRIVAL_KNOWN]) == utc(arrived[c.ARRIVED]) == "01-02 05:08"
    assert (cancelled[c.STATUS], utc(cancelled[c.CANCELLATION_KNOWN])) == (
        "cancelled", "01-02 00:30"
    )  # fmt: skip
    assert (diverted[c.STATUS], utc(diverted[c.DIVERSION_KNOWN])) == ("diverted", "01-02 03:05")
    # And a diverted flight that landed somewhere has not arrived
    assert one_received(*ROWS["diverted and landed"])["arr_time"] == "1934"
    assert diverted[c.ARRIVAL_KNOWN] is None
    # And what did not happen is known at no time
    assert cancelled[c.DEPARTURE_KNOWN] is None
    assert diverted[c.CANCELLATION_KNOWN] is None


# ---- What a flight may see -------------------------------------------------------------------


@lru_cache
def around(*row: Any) -> Dataset:
    """Return the flights and the weather of the three days up to a real flight."""
    own = one_received(*row)
    end = dt.datetime.fromisoformat(own["time_hour"]) + dt.timedelta(hours=1)
    return real_period(end - dt.timedelta(days=3), end, weather_from=end - dt.timedelta(days=1))


def row_of(data: Dataset, carrier: str, flight: int) -> int:
    """Return the row number of the last flight with a flight number."""
    pairs = zip(data.flights[c.CARRIER].to_pylist(), data.flights[c.FLIGHT_NUMBER].to_pylist(),
                data.flights[c.SCHEDULED_DEPARTURE].to_pylist(), strict=True)  # fmt: skip
    places = [(at, place) for place, (*key, at) in enumerate(pairs) if key == [carrier, flight]]
    return max(places)[1]


def seen(data: Dataset, place: int, horizon: int, features: tuple[Feature, ...]) -> dict[str, Any]:
    """Return the features of the flight in a row."""
    wanted = np.arange(len(data.flights)) == place
    table = features_table(
        data.flights, data.weather, wanted, horizon_min=horizon, features=features
    )
    (row,) = table.to_pylist()
    return {feature.name: row[feature.name] for feature in features}


@pytest.mark.parametrize("horizon", [1, 30])
@pytest.mark.parametrize("row", EARLY, ids=lambda row: f"{row[2]} {row[3]}")
def test_a_flight_that_left_early_never_sees_itself(row: tuple[Any, ...], horizon: int) -> None:
    # Given one of the three real flights that left more than half an hour early
    data = around(*row)
    place = row_of(data, row[2], row[3])
    own = data.flights.slice(place, 1).to_pylist()[0]
    prediction = own[c.SCHEDULED_DEPARTURE] - dt.timedelta(minutes=horizon)
    assert own[c.DEPARTURE_KNOWN] < prediction  # it was known: the trap is there
    # When its departures of the last hour are counted / Then its own is not among them
    count = Sum(DEPARTURES.name, COUNT, FLIGHT, Minutes(before=60))
    departures = Feature("departures", "recent", "", "", "", (count,), same)
    assert seen(data, place, horizon, (departures,)) == {"departures": 0}
    # And no feature changes when the flight is changed to one that has not left
    offline = seen(data, place, horizon, FEATURES)
    without = Dataset(_not_left(data, place), data.weather)
    assert seen(without, place, horizon, FEATURES) == offline
    # And the online features are the same
    assert _online(data, own, horizon) == offline


def _not_left(data: Dataset, place: int) -> Any:
    rows = data.flights.slice(place, 1).to_pylist()
    for name in (
        c.DEPARTURE_KNOWN,
        c.DEPARTURE_DELAY,
        c.ARRIVAL_KNOWN,
        c.ARRIVAL_DELAY,
        c.AIR_TIME,
    ):
        rows[0][name] = None
    table = data.flights
    other = pa.Table.from_pylist(rows, schema=table.schema)
    return pa.concat_tables([table.slice(0, place), other, table.slice(place + 1)])


def _online(data: Dataset, own: dict[str, Any], horizon: int) -> dict[str, Any]:
    flights = data.flights.select(FLIGHT_COLUMNS)
    items = dict(online_items(flights, data.weather, retain_days=1, horizon_min=horizon))
    flight, contract = as_flight(own), contract_of(horizon, 0.5)
    as_of = flight.scheduled_departure_at - horizon
    held = {key: items[key] for key in keys_of(flight, as_of, contract) if key in items}
    values, _ = features_of(flight, as_of, held, contract)
    return dict(zip((spec.name for spec in contract.features), values, strict=True))


def test_at_two_hours_no_flight_of_the_year_left_before_its_prediction_time() -> None:
    # Given all real departures / Then none was 120 minutes early: there the rule changes nothing
    delays = all_received()["dep_delay"].replace("NA", None).cast(pl.Int32)
    assert delays.min() == -43
    assert (delays < -30).sum() == len(EARLY)


@pytest.mark.spark
def test_one_aircraft_on_two_flights_at_one_minute(silver: dict[str, Any]) -> None:
    # Given two real flights at the same minute with the same tail number, one of them cancelled
    pair = [silver[f"one aircraft, two flights: {end}"] for end in ("flown", "cancelled")]
    assert {row[c.TAIL_NUMBER] for row in pair} == {"N12564"}
    assert len({row[c.SCHEDULED_DEPARTURE] for row in pair}) == 1
    # When their previous legs are looked up
    data = around(*ROWS["one aircraft, two flights: flown"])
    places = [row_of(data, row[c.CARRIER], row[c.FLIGHT_NUMBER]) for row in pair]
    legs = [
        {name: value for name, value in seen(data, place, 120, FEATURES).items() if "leg" in name}
        for place in places
    ]
    # Then neither is the other's previous leg: both have the same one, before that minute
    assert legs[0] == legs[1]
    assert legs[0]["leg_since_schedule"] is None or legs[0]["leg_since_schedule"] > 0


def test_ties_do_not_depend_on_the_order_of_rows() -> None:
    # Given a real evening, in which many flights share a minute, and its rows the other way round
    data = around(*EARLY[1])
    order = np.arange(len(data.flights))[::-1]
    turned = Dataset(data.flights.take(order), data.weather)
    minutes = data.flights[c.DEPARTURE_KNOWN].to_pylist()
    assert len(set(minutes)) < len(minutes)
    # When the features of all flights are computed from both
    wanted = np.ones(len(order), dtype=np.bool_)
    one, other = (
        features_table(each.flights, each.weather, wanted, horizon_min=120)
        for each in (data, turned)
    )
    # Then they are the same
    assert one.sort_by(c.FLIGHT_ID).equals(other.sort_by(c.FLIGHT_ID))
