from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from features.silver.silver_flights import to_flights
from tests.features.raw_rows import (
    FLIGHT_LINE,
    raw_flights,
    received,
    refusals,
    silver_airports,
)

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

pytestmark = pytest.mark.spark


def silver(spark: SparkSession, *changes: dict[str, Any]) -> list[Row]:
    """Return the candidates with instants as text, in the order of the changes."""
    frame = to_flights(raw_flights(spark, *changes), silver_airports(spark))
    instants = [name for name, kind in frame.dtypes if kind == "timestamp"]
    return (
        frame.withColumns({n: F.date_format(n, "yyyy-MM-dd HH:mm") for n in instants})
        .orderBy("source_row")
        .collect()
    )


# Real rows, by what makes them hard, and what they become.
TRAPS: dict[str, tuple[str, dict[str, Any]]] = {
    "to Puerto Rico, in the night on which summer time begins in New York": (
        "2013,3,9,53,2359,54,504,438,26,B6,727,N612JB,JFK,BQN,175,1576,23,59,2013-03-10T04:00:00Z",
        {
            "flight_id": "B6-727-2013031004",
            "flight_date": dt.date(2013, 3, 9),
            "scheduled_departure_at": "2013-03-10 04:59",
            "scheduled_arrival_at": "2013-03-10 08:38",
            "departed_at": "2013-03-10 05:53",
            "arrived_at": "2013-03-10 09:04",
            "origin_utc_offset_min": -300,
            "destination_utc_offset_min": -240,
        },
    ),
    "in the first hours of summer time": (
        "2013,3,10,454,500,-6,628,648,-20,US,1113,N125UW,EWR,CLT,76,529,5,0,2013-03-10T09:00:00Z",
        {
            "scheduled_departure_at": "2013-03-10 09:00",
            "arrived_at": "2013-03-10 10:28",
            "origin_utc_offset_min": -240,
        },
    ),
    "in the air when summer time ends in New York, and not in Puerto Rico": (
        "2013,11,2,2346,2359,-13,353,345,8,B6,745,N621JB,JFK,PSE,228,1617,23,59,2013-11-03T03:00:00Z",
        {
            "flight_date": dt.date(2013, 11, 2),
            "scheduled_departure_at": "2013-11-03 03:59",
            "scheduled_arrival_at": "2013-11-03 07:45",
            "departed_at": "2013-11-03 03:46",
            "arrived_at": "2013-11-03 07:53",
        },
    ),
    "to Arizona, which has no summer time": (
        "2013,11,3,626,630,-4,939,1018,-39,US,495,N547UW,JFK,PHX,298,2153,6,30,2013-11-03T11:00:00Z",
        {
            "origin_utc_offset_min": -300,
            "destination_utc_offset_min": -420,
            "arrived_at": "2013-11-03 16:39",
        },
    ),
    "departed at 2400": (
        "2013,10,30,2400,2359,1,327,337,-10,B6,839,N661JB,JFK,BQN,182,1576,23,59,2013-10-31T03:00:00Z",
        {"departed_at": "2013-10-31 04:00", "arrived_at": "2013-10-31 07:27"},
    ),
    "arrived at 2400": (
        "2013,1,1,2209,2155,14,2400,2337,23,B6,1109,N216JB,JFK,RDU,86,427,21,55,2013-01-02T02:00:00Z",
        {"arrived_at": "2013-01-02 05:00", "scheduled_arrival_at": "2013-01-02 04:37"},
    ),
    "to Hawaii, a day late": (
        "2013,1,9,641,900,1301,1242,1530,1272,HA,51,N384HA,JFK,HNL,640,4983,9,0,2013-01-09T14:00:00Z",
        {
            "scheduled_arrival_at": "2013-01-10 01:30",
            "departed_at": "2013-01-10 11:41",
            "arrived_at": "2013-01-10 22:42",
            "destination_utc_offset_min": -600,
        },
    ),
    "cancelled, without a tail number": (
        "2013,7,27,NA,106,NA,NA,245,NA,US,1632,NA,EWR,LGA,NA,17,1,6,2013-07-27T05:00:00Z",
        {
            "status": "cancelled",
            "tail_number": None,
            "cancellation_known_at": "2013-07-27 08:06",
            "departed_at": None,
            "departure_known_at": None,
            "arrived_at": None,
            "diversion_known_at": None,
        },
    ),
    "diverted, and never landed where it should": (
        "2013,1,1,2016,1930,46,NA,2220,NA,EV,4204,N14168,EWR,OKC,NA,1325,19,30,2013-01-02T00:00:00Z",
        {
            "status": "diverted",
            "departed_at": "2013-01-02 01:16",
            "arrived_at": None,
            "diversion_known_at": "2013-01-02 07:20",
            "cancellation_known_at": None,
        },
    ),
    "diverted, and landed in the end": (
        "2013,1,1,1525,1530,-5,1934,1805,NA,MQ,4525,N719MQ,LGA,XNA,NA,1147,15,30,2013-01-01T20:00:00Z",
        {
            "status": "diverted",
            "arrived_at": None,
            "arrival_known_at": None,
            "diversion_known_at": "2013-01-02 03:05",
        },
    ),
    "an ordinary one": (
        FLIGHT_LINE,
        {
            "flight_id": "UA-1545-2013010110",
            "flight_date": dt.date(2013, 1, 1),
            "scheduled_departure_at": "2013-01-01 10:15",
            "scheduled_arrival_at": "2013-01-01 14:19",
            "origin_utc_offset_min": -300,
            "destination_utc_offset_min": -360,
            "departed_at": "2013-01-01 10:17",
            "departure_known_at": "2013-01-01 10:17",
            "arrived_at": "2013-01-01 14:30",
            "arrival_known_at": "2013-01-01 14:30",
            "status": "arrived",
            "cancellation_known_at": None,
            "diversion_known_at": None,
            "flight_number": 1545,
            "distance_mi": 1400,
            "air_time_min": 227,
            "departure_delay_min": 2,
            "arrival_delay_min": 11,
        },
    ),
}


def test_real_rows_in_time_traps_become_utc_instants(spark: SparkSession) -> None:
    flights = silver(spark, *(received("flights", line) for line, _ in TRAPS.values()))
    found = {
        why: {name: flight[name] for name in expected}
        for flight, (why, (_, expected)) in zip(flights, TRAPS.items(), strict=True)
    }
    assert [flight.refusal for flight in flights] == [None] * len(TRAPS)
    assert found == {why: expected for why, (_, expected) in TRAPS.items()}


def test_values_are_read_however_they_are_written(spark: SparkSession) -> None:
    (flight,) = silver(
        spark,
        {
            "dep_time": "517.0",
            "flight": "1545.0",
            "tailnum": "",
            "time_hour": "2013-01-01 10:00:00",
        },
    )
    assert flight.refusal is None
    assert (flight.flight_id, flight.tail_number) == ("UA-1545-2013010110", None)


NEW_YEAR = "of 2013-01-01 in America/New_York"
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"carrier": "NA"}, "missing_value", "carrier is missing."),
    ({"time_hour": None}, "missing_value", "time_hour is missing."),
    ({"dest": ""}, "missing_value", "dest is missing."),
    ({"flight": "15x"}, "wrong_type", "flight is '15x', which is not a whole number."),
    ({"dep_delay": "2.5"}, "wrong_type", "dep_delay is '2.5', which is not a whole number."),
    (
        {"time_hour": "yesterday"},
        "wrong_type",
        "time_hour is 'yesterday', which is not an instant such as 2013-01-01T10:00:00Z.",
    ),
    (
        {"sched_arr_time": "2460"},
        "impossible_clock",
        "sched_arr_time is '2460', which is not a clock time (0000 to 2359, or 2400 for midnight).",
    ),
    (
        {"dep_time": "2401"},
        "impossible_clock",
        "dep_time is '2401', which is not a clock time (0000 to 2359, or 2400 for midnight).",
    ),
    ({"month": "13"}, "impossible_value", "month is 13, outside 1 to 12."),
    (
        {"dep_delay": "2147483647"},
        "impossible_value",
        "dep_delay is 2147483647, outside -360 to 4320.",
    ),
    ({"dest": "QQQ"}, "unknown_airport", "dest is 'QQQ', which is not in the airports table."),
    ({"origin": "QQQ"}, "unknown_airport", "origin is 'QQQ', which is not in the airports table."),
    (
        {"dest": "XXX"},
        "no_time_zone",
        "dest is 'XXX', which has no time zone in the airports table.",
    ),
    (
        {"hour": "6", "sched_dep_time": "615"},
        "contradiction",
        f"time_hour is hour 5 {NEW_YEAR}, but year, month, day and hour say hour 6 of 2013-1-1.",
    ),
    (
        {"time_hour": "2013-01-01 05:00:00"},
        "contradiction",
        f"time_hour is hour 0 {NEW_YEAR}, but year, month, day and hour say hour 5 of 2013-1-1.",
    ),
    (
        {"sched_dep_time": "530"},
        "contradiction",
        "sched_dep_time is 0530, but time_hour and minute make 0515.",
    ),
    ({"dest": "EWR"}, "impossible_value", "origin and dest are both 'EWR'."),
    (
        {"dep_time": "NA", "dep_delay": "NA", "arr_time": "NA"},
        "contradiction",
        "arr_delay is 11, but arr_time is missing.",
    ),
    ({"dep_delay": "NA"}, "contradiction", "dep_time is 0517, but dep_delay is missing."),
    (
        {"dep_time": "NA", "dep_delay": "NA"},
        "contradiction",
        "arr_time is 0830, but dep_time is missing.",
    ),
    (
        {"dep_delay": "3"},
        "contradiction",
        "dep_time is 0517, but sched_dep_time and dep_delay make 0518.",
    ),
    (
        {"arr_time": "900"},
        "contradiction",
        "arr_time is 0900, but sched_arr_time and arr_delay make 0830.",
    ),
    ({"arr_delay": "NA"}, "contradiction", "air_time is 227, but arr_delay is missing."),
    (
        {"dep_time": "1115", "dep_delay": "360"},
        "impossible_value",
        "It would arrive at 2013-01-01 14:30:00, no later than it departed (2013-01-01 16:15:00).",
    ),
    ({"unreadable": "one,two"}, "unreadable", "The line is not a row of 19 values."),
]


def test_every_refused_row_has_a_reason(spark: SparkSession) -> None:
    # Given a good row, and one for each rule that it can break
    changes: list[dict[str, Any]] = [{}, *(change for change, _, _ in REFUSED)]
    # When silver is built from them
    found = refusals(to_flights(raw_flights(spark, *changes), silver_airports(spark)))
    # Then each has its reason, and the good row none
    assert found == [None, *((rule, reason) for _, rule, reason in REFUSED)]
