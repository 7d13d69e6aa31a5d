"""The work in DuckDB: running totals and ASOF joins in SQL, to Parquet.

The total of a window is the running total before its end less the one before its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

from benchmarks.work import HORIZON_MIN, NAMES

if TYPE_CHECKING:
    from pathlib import Path

_TIES: Final = "departs, flight_number, carrier"
_MEASURES: Final = {"count": "1", "delay": "delay", "late": "late", "since": "departs"}


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to one Parquet file below `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        database.execute(f"SET temp_directory = '{target}.spill'")
        for statement in (*_inputs(source), *_totals()):
            database.execute(statement)
        database.execute(f"COPY ({_RESULT}) TO '{target / 'part-0.parquet'}' (FORMAT parquet)")


def _inputs(source: Path) -> tuple[str, ...]:
    return (
        f"""
        CREATE TEMP TABLE flights AS
        SELECT flight_id, flight_date, scheduled_departure_at, carrier, flight_number, tail_number,
               origin, destination, departure_delay_min, arrival_delay_min,
               departs - {HORIZON_MIN} AS predicts,
               (departs - {HORIZON_MIN}) // 1440 * 1440 AS midnight,
               departs, epoch(departure_known_at)::BIGINT // 60 AS "left",
               epoch(arrival_known_at)::BIGINT // 60 AS landed,
               epoch(cancellation_known_at)::BIGINT // 60 AS cancelled,
               least(departs + 720, "left", cancelled) AS closes
        FROM (SELECT *, epoch(scheduled_departure_at)::BIGINT // 60 AS departs
              FROM '{source}/silver_flights/*.parquet')
        """,  # noqa: S608 - the folder of the benchmark
        f"""
        CREATE TEMP TABLE weather AS
        SELECT airport, epoch(known_at)::BIGINT // 60 AS t, wind_speed_mph, pressure_hpa,
               visibility_mi
        FROM '{source}/silver_weather/*.parquet'
        """,  # noqa: S608 - the folder of the benchmark
        *(_events(name, at, delay) for name, at, delay in _KNOWN),
    )


_KNOWN: Final = (
    ("leaving", '"left"', "departure_delay_min"),
    ("landing", "landed", "arrival_delay_min"),
    ("cancelling", "cancelled", "0"),
)


def _events(name: str, at: str, delay: str) -> str:
    """Return the table of the events that became known within two days."""
    return f"""
        CREATE TEMP TABLE {name} AS
        SELECT carrier, flight_number, origin, destination, tail_number, departs, {at} AS t,
               {delay} AS delay, ({delay} >= 15)::INT AS late
        FROM flights WHERE {at} - departs <= 2880
    """  # noqa: S608 - names of our own columns


def _totals() -> tuple[str, ...]:
    """Return the tables of running totals: by entity key, after each minute with events."""
    schedule = "(SELECT origin, departs AS t FROM flights)"
    opened = "(SELECT *, departs AS t FROM flights WHERE closes > departs)"
    closed = "(SELECT *, closes AS t FROM flights WHERE closes > departs)"
    return (
        _running("leaving_origin", "leaving", "origin", "count", "delay", "late"),
        _running("landing_carrier", "landing", "carrier", "count", "delay"),
        _running("cancelling_origin", "cancelling", "origin", "count"),
        _running("schedule_origin", schedule, "origin", "count"),
        _running("opened_origin", opened, "origin", "count"),
        _running("closed_origin", closed, "origin", "count"),
        _running("opened_carrier", opened, "carrier", "count", "since"),
        _running("closed_carrier", closed, "carrier", "count", "since"),
        _running("landing_route", "landing", "origin, destination", "count", "late"),
        _running("landing_flight", "landing", "carrier, flight_number", "count", "delay"),
        _days("route", "origin, destination", "late"),
        _days("flight", "carrier, flight_number", "delay"),
        _latest("tail_leaving", "leaving", "delay"),
        _latest("tail_landing", "landing", "t"),
        _latest("tail_leg", "(SELECT *, departs AS t FROM flights)", '"left"'),
    )


def _running(name: str, events: str, by: str, *measures: str) -> str:
    sums = ", ".join(f'sum({_MEASURES[each]}) AS "{each}"' for each in measures)
    totals = ", ".join(
        f'(sum("{each}") OVER (PARTITION BY {by} ORDER BY t ROWS UNBOUNDED PRECEDING))::BIGINT'
        f' AS "{each}"'
        for each in measures
    )
    return f"""
        CREATE TEMP TABLE {name} AS SELECT {by}, t, {totals}
        FROM (SELECT {by}, t, {sums} FROM {events} GROUP BY {by}, t)
    """  # noqa: S608 - names of our own columns


def _days(name: str, by: str, measure: str) -> str:
    """Return the table of 28-day totals, by entity key and midnight."""
    same = " AND ".join(f"asked.{key} = {{0}}.{key}" for key in by.split(", "))
    return f"""
        CREATE TEMP TABLE days_{name} AS
        SELECT asked.*, coalesce(b."count", 0) - coalesce(a."count", 0) AS "count",
               coalesce(b.{measure}, 0) - coalesce(a.{measure}, 0) AS total
        FROM (SELECT DISTINCT {by}, midnight FROM flights) asked
        ASOF LEFT JOIN landing_{name} a ON {same.format("a")} AND asked.midnight - 28 * 1440 > a.t
        ASOF LEFT JOIN landing_{name} b ON {same.format("b")} AND asked.midnight > b.t
    """  # noqa: S608 - names of our own columns


def _latest(name: str, events: str, value: str) -> str:
    """Return the table of an aircraft's events, the last of each minute."""
    return f"""
        CREATE TEMP TABLE {name} AS
        SELECT tail_number, t, last({value} ORDER BY {_TIES}) AS value, bool_or(true) AS found
        FROM {events} WHERE tail_number IS NOT NULL GROUP BY tail_number, t
    """  # noqa: S608 - names of our own columns


def _window(name: str, by: str, start: str, end: str) -> str:
    """Return the joins that find the running totals before both ends of a window."""
    sides = {"a": start, "b": end}
    return "\n".join(
        f"ASOF LEFT JOIN {table} {name}_{side} ON f.{by} = {name}_{side}.{by} "
        f"AND {sides[side]} > {name}_{side}.t"
        for side, table in zip(sides, _tables(name), strict=True)
    )


def _on_days(name: str, *keys: str) -> str:
    same = " AND ".join(f"f.{key} = days_{name}.{key}" for key in keys)
    return f"LEFT JOIN days_{name} ON {same}"


def _tables(name: str) -> tuple[str, str]:
    if name.startswith("open_"):
        return name.replace("open", "closed"), name.replace("open", "opened")
    return name, name


def _less(name: str, measure: str) -> str:
    return f'(coalesce({name}_b."{measure}", 0) - coalesce({name}_a."{measure}", 0))'


def _mean(name: str, measure: str) -> str:
    return f"{_less(name, measure)} / nullif({_less(name, 'count')}, 0)::DOUBLE"


_FEATURES: Final = {
    "wind_speed": "CASE WHEN predicts - w.t <= 360 THEN w.wind_speed_mph END",
    "pressure": "CASE WHEN predicts - w.t <= 360 THEN w.pressure_hpa END",
    "visibility": "CASE WHEN predicts - w.t <= 360 THEN w.visibility_mi END",
    "departure_delay_origin_3h": _mean("leaving_origin", "delay"),
    "arrival_delay_carrier_8h": _mean("landing_carrier", "delay"),
    "departure_late_origin_3h": _mean("leaving_origin", "late"),
    "overdue_count_origin": _less("open_origin", "count"),
    "overdue_minutes_carrier": f"{_less('open_carrier', 'count')} * predicts"
    f" - {_less('open_carrier', 'since')}",
    "cancelled_origin_12h": _less("cancelling_origin", "count"),
    "traffic_origin": _less("schedule_origin", "count"),
    "late_route_28d": "days_route.total / nullif(days_route.count, 0)::DOUBLE",
    "delay_flight_28d": "days_flight.total / nullif(days_flight.count, 0)::DOUBLE",
    "tail_departure_delay": "CASE WHEN predicts - d.t <= 5760 THEN d.value END",
    "tail_since_arrival": "CASE WHEN predicts - l.t <= 5760 THEN f.departs - l.value END",
    "leg_delay": "CASE WHEN f.departs - leg.t > 5760 THEN NULL"
    " WHEN leg.value < predicts THEN leg.value - leg.t"
    " WHEN leg.found THEN greatest(0, least(720, predicts - leg.t)) END",
}
_RESULT: Final = f"""
    SELECT f.flight_id, f.flight_date, f.scheduled_departure_at,
           f.scheduled_departure_at - INTERVAL {HORIZON_MIN} MINUTE AS prediction_time,
           {", ".join(f"({_FEATURES[name]})::DOUBLE AS {name}" for name in NAMES)},
           (arrival_delay_min >= 15)::INT AS label
    FROM flights f
    {_window("leaving_origin", "origin", "predicts - 180", "predicts")}
    {_window("landing_carrier", "carrier", "predicts - 480", "predicts")}
    {_window("cancelling_origin", "origin", "predicts - 720", "predicts")}
    {_window("schedule_origin", "origin", "f.departs - 60", "f.departs + 61")}
    {_window("open_origin", "origin", "predicts", "predicts")}
    {_window("open_carrier", "carrier", "predicts", "predicts")}
    {_on_days("route", "origin", "destination", "midnight")}
    {_on_days("flight", "carrier", "flight_number", "midnight")}
    ASOF LEFT JOIN tail_leaving d ON f.tail_number = d.tail_number AND predicts > d.t
    ASOF LEFT JOIN tail_landing l ON f.tail_number = l.tail_number AND predicts > l.t
    ASOF LEFT JOIN tail_leg leg ON f.tail_number = leg.tail_number AND f.departs > leg.t
    ASOF LEFT JOIN weather w ON f.origin = w.airport AND predicts > w.t
"""  # noqa: S608 - names of our own columns
