"""The work in polars: running totals and as-of joins, lazy, to Parquet.

The total of a window is the running total before its end less the one before its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.work import HORIZON_MIN, NAMES
from features.declare import columns as c

if TYPE_CHECKING:
    from pathlib import Path

_DAY: Final = 1440
_TIES: Final = ("departs", c.FLIGHT_NUMBER, c.CARRIER)


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to one Parquet file below `target`."""
    flights = _flights(source).collect()
    leaving = _known(flights, "left", c.DEPARTURE_DELAY)
    landing = _known(flights, "landed", c.ARRIVAL_DELAY)
    cancelled = _known(flights, "cancelled", c.DEPARTURE_DELAY)
    scheduled = flights.with_columns(at="departs")
    parts = [
        _window(flights, leaving, [c.ORIGIN], ["delay", "late"], "o3", start=-180, end=0),
        _window(flights, landing, [c.CARRIER], ["delay"], "c8", start=-480, end=0),
        _window(flights, cancelled, [c.ORIGIN], [], "x12", start=-720, end=0),
        _window(flights, scheduled, [c.ORIGIN], [], "around", start=60, end=HORIZON_MIN + 61),
        _standing(flights, [c.ORIGIN], [], "open_o"),
        _standing(flights, [c.CARRIER], ["since"], "open_c"),
        _days(flights, landing, [c.ORIGIN, c.DESTINATION], "late", "route"),
        _days(flights, landing, [c.CARRIER, c.FLIGHT_NUMBER], "delay", "flight"),
        _latest(flights, leaving, "predicts", {"at": "tail_left", "delay": "tail_delay"}),
        _latest(flights, landing, "predicts", {"at": "tail_landed"}),
        _latest(flights, scheduled, "departs", {"at": "leg_at", "left": "leg_left"}),
        _reported(flights, _weather(source)),
    ]
    frame = pl.concat([flights, *pl.collect_all(parts)], how="horizontal")
    target.mkdir(parents=True, exist_ok=True)
    _result(frame.lazy()).collect().write_parquet(target / "part-0.parquet")


def _flights(source: Path) -> pl.LazyFrame:
    instants = {
        "departs": c.SCHEDULED_DEPARTURE,
        "left": c.DEPARTURE_KNOWN,
        "landed": c.ARRIVAL_KNOWN,
        "cancelled": c.CANCELLATION_KNOWN,
    }
    return (
        pl.scan_parquet(source / "silver_flights" / "*.parquet")
        .select(
            c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE, c.FLIGHT_NUMBER,
            pl.col(c.CARRIER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER).cast(pl.Categorical),
            pl.col(c.DEPARTURE_DELAY, c.ARRIVAL_DELAY).cast(pl.Int64),
            **{name: _minutes(column) for name, column in instants.items()},
        )
        .with_columns(predicts=pl.col("departs") - HORIZON_MIN)
        .sort(*_TIES)
    )  # fmt: skip


def _weather(source: Path) -> pl.LazyFrame:
    return (
        pl.scan_parquet(source / "silver_weather" / "*.parquet")
        .select(
            pl.col(c.AIRPORT).cast(pl.Categorical).alias(c.ORIGIN),
            _minutes(c.KNOWN).alias("at"),
            wind_speed=c.WIND_SPEED,
            pressure=c.PRESSURE,
            visibility=c.VISIBILITY,
        )
        .sort("at")
    )


def _minutes(column: str) -> pl.Expr:
    return (pl.col(column).dt.epoch("s") // 60).cast(pl.Int64)


def _known(flights: pl.DataFrame, at: str, delay: str) -> pl.DataFrame:
    """Return the events that became known within two days, in the order in which they did."""
    in_time = pl.col(at) - pl.col("departs") <= 2 * _DAY
    events = flights.lazy().filter(in_time).with_columns(at=at, delay=delay)
    late = (pl.col("delay") >= 15).cast(pl.Int64).alias("late")
    return events.with_columns(late).sort("at", maintain_order=True).collect()


def _running(events: pl.LazyFrame, by: list[str], measures: list[str]) -> pl.LazyFrame:
    """Return the running count and totals after each event, by entity key, in time order."""
    count = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(by).alias("count")
    return events.select(*by, "at", count, *(pl.col(name).cum_sum().over(by) for name in measures))


def _before(
    asked: pl.LazyFrame, totals: pl.LazyFrame, by: list[str], at: pl.Expr, measures: list[str]
) -> pl.LazyFrame:
    """Return, for each row, the running totals strictly before an instant; 0 without any."""
    return (
        asked.select(*by, at.alias("asked"))
        .join_asof(
            totals, left_on="asked", right_on="at", by=by, allow_exact_matches=False,
            check_sortedness=False,
        )
        .select(pl.col("count", *measures).fill_null(0))
    )  # fmt: skip


def _less(end: pl.LazyFrame, start: pl.LazyFrame, measures: list[str], name: str) -> pl.LazyFrame:
    """Return the totals before the end less those before the start."""
    both = pl.concat([end, start.select(pl.all().name.suffix("_start"))], how="horizontal")
    return both.select(
        (pl.col(each) - pl.col(f"{each}_start")).alias(f"{name}_{each}")
        for each in ("count", *measures)
    )


def _window(
    flights: pl.DataFrame,
    events: pl.DataFrame,
    by: list[str],
    measures: list[str],
    name: str,
    *,
    start: int,
    end: int,
) -> pl.LazyFrame:
    """Return the count and totals of the events from `start` to before `end` of the prediction."""
    totals, asked = _running(events.lazy(), by, measures), flights.lazy()
    ends = [
        _before(asked, totals, by, pl.col("predicts") + minutes, measures)
        for minutes in (end, start)
    ]
    return _less(ends[0], ends[1], measures, name)


def _standing(flights: pl.DataFrame, by: list[str], measures: list[str], name: str) -> pl.LazyFrame:
    """Return the flights that are overdue: their count, and the total of their departures."""
    closes = pl.min_horizontal("left", "cancelled", pl.col("departs") + 720)
    events = flights.lazy().select(*by, closes=closes, since="departs", at="departs")
    overdue = events.filter(pl.col("closes") > pl.col("since"))
    closed = overdue.with_columns(at="closes").sort("at")
    opened_and_closed = [
        _before(flights.lazy(), _running(side, by, measures), by, pl.col("predicts"), measures)
        for side in (overdue, closed)
    ]
    return _less(opened_and_closed[0], opened_and_closed[1], measures, name)


def _days(
    flights: pl.DataFrame, events: pl.DataFrame, by: list[str], measure: str, name: str
) -> pl.LazyFrame:
    """Return the totals of the 28 whole days before the prediction's: one look-up a key and day."""
    midnight = pl.col("predicts") // _DAY * _DAY
    keys = flights.lazy().select(*by, midnight=midnight)
    asked = keys.unique().sort("midnight")
    totals = _running(events.lazy(), by, [measure])
    ends = [
        _before(asked, totals, by, pl.col("midnight") - back, [measure]) for back in (0, 28 * _DAY)
    ]
    found = pl.concat([asked, _less(ends[0], ends[1], [measure], name)], how="horizontal")
    joined = keys.join(found, on=[*by, "midnight"], how="left", maintain_order="left")
    return joined.select(f"{name}_count", f"{name}_{measure}")


def _latest(
    flights: pl.DataFrame, events: pl.DataFrame, anchor: str, names: dict[str, str]
) -> pl.LazyFrame:
    """Return values of the aircraft's latest event strictly before an anchor, within four days."""
    flown = events.lazy().filter(pl.col(c.TAIL_NUMBER).is_not_null())
    wanted = flown.select(c.TAIL_NUMBER, pl.col("at").alias("_at"), *names).rename(names)
    asked = flights.lazy().select(c.TAIL_NUMBER, anchor)
    return asked.join_asof(
        wanted, left_on=anchor, right_on="_at", by=c.TAIL_NUMBER, allow_exact_matches=False,
        tolerance=4 * _DAY, check_sortedness=False,
    ).select(*names.values())  # fmt: skip


def _reported(flights: pl.DataFrame, weather: pl.LazyFrame) -> pl.LazyFrame:
    asked = flights.lazy().select(c.ORIGIN, "predicts")
    return asked.join_asof(
        weather, left_on="predicts", right_on="at", by=c.ORIGIN, allow_exact_matches=False,
        tolerance=360, check_sortedness=False,
    ).select("wind_speed", "pressure", "visibility")  # fmt: skip


def _result(frame: pl.LazyFrame) -> pl.LazyFrame:
    def mean(total: str, count: str) -> pl.Expr:
        return pl.when(pl.col(count) > 0).then(pl.col(total) / pl.col(count))

    known = pl.col("leg_left") < pl.col("predicts")
    overdue = (pl.col("predicts") - pl.col("leg_at")).clip(0, 720)
    features = {
        "departure_delay_origin_3h": mean("o3_delay", "o3_count"),
        "arrival_delay_carrier_8h": mean("c8_delay", "c8_count"),
        "departure_late_origin_3h": mean("o3_late", "o3_count"),
        "overdue_count_origin": pl.col("open_o_count"),
        "overdue_minutes_carrier": pl.col("open_c_count") * pl.col("predicts")
        - pl.col("open_c_since"),
        "cancelled_origin_12h": pl.col("x12_count"),
        "traffic_origin": pl.col("around_count"),
        "late_route_28d": mean("route_late", "route_count"),
        "delay_flight_28d": mean("flight_delay", "flight_count"),
        "tail_departure_delay": pl.col("tail_delay"),
        "tail_since_arrival": pl.col("departs") - pl.col("tail_landed"),
        "leg_delay": pl.when(known).then(pl.col("leg_left") - pl.col("leg_at")).otherwise(overdue),
    }
    prediction = pl.col(c.SCHEDULED_DEPARTURE) - pl.duration(minutes=HORIZON_MIN)
    label = (pl.col(c.ARRIVAL_DELAY) >= 15).cast(pl.Int32)
    return frame.with_columns(
        **features, **{c.PREDICTION_TIME: prediction, c.LABEL: label}
    ).select(
        c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE, c.PREDICTION_TIME,
        *(pl.col(name).cast(pl.Float64) for name in NAMES), c.LABEL,
    )  # fmt: skip
