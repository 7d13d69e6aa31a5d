"""The work in polars: running totals and as-of joins, lazy, to Parquet.

The total of a window is the running total before its end less the one before its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.work import HORIZON_MIN, NAMES
from features import columns as c

if TYPE_CHECKING:
    from pathlib import Path

_DAY: Final = 1440
_TIES: Final = ("departs", c.FLIGHT_NUMBER, c.CARRIER)


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to one Parquet file below `target`."""
    flights = _flights(source).collect().lazy()
    weather = _weather(source)
    departed, arrived = _known(flights, "left"), _known(flights, "landed")
    late = [pl.col("delay"), (pl.col("delay") >= 15).cast(pl.Int64).alias("late")]
    leaving = departed.select(*_keys(), at="left", delay=c.DEPARTURE_DELAY).with_columns(late)
    landing = arrived.select(*_keys(), at="landed", delay=c.ARRIVAL_DELAY).with_columns(late)
    frame = (
        flights.pipe(_window, leaving, [c.ORIGIN], ["delay", "late"], "o3", -180, 0)
        .pipe(_window, landing, [c.CARRIER], ["delay"], "c8", -480, 0)
        .pipe(_window, _cancelled(flights), [c.ORIGIN], [], "x12", -720, 0)
        .pipe(_window, _scheduled(flights), [c.ORIGIN], [], "around", 60, HORIZON_MIN + 61)
        .pipe(_standing, flights, [c.ORIGIN], "open_o")
        .pipe(_standing, flights, [c.CARRIER], "open_c")
        .pipe(_days, landing, [c.ORIGIN, c.DESTINATION], "route")
        .pipe(_days, landing, [c.CARRIER, c.FLIGHT_NUMBER], "flight")
        .pipe(_latest, leaving, "predicts", {"at": "tail_left", "delay": "tail_delay"})
        .pipe(_latest, landing, "predicts", {"at": "tail_landed"})
        .pipe(_latest, _legs(flights), "departs", {"at": "leg_at", "left": "leg_left"})
        .pipe(_with_weather, weather)
    )
    target.mkdir(parents=True, exist_ok=True)
    _result(frame).collect().write_parquet(target / "part-0.parquet")


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
        .sort("predicts")
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


def _keys() -> tuple[str, ...]:
    return (c.CARRIER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER, *_TIES[:2])


def _known(flights: pl.LazyFrame, at: str) -> pl.LazyFrame:
    """Return the flights that became known within two days, in the order in which they did."""
    in_time = pl.col(at) - pl.col("departs") <= 2 * _DAY
    return flights.filter(in_time).sort(at, *_TIES)


def _cancelled(flights: pl.LazyFrame) -> pl.LazyFrame:
    return _known(flights, "cancelled").select(c.ORIGIN, at="cancelled")


def _scheduled(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.select(c.ORIGIN, at="departs")


def _legs(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.select(c.TAIL_NUMBER, *_TIES, "left", at="departs").sort("at", *_TIES)


def _window(
    frame: pl.LazyFrame,
    events: pl.LazyFrame,
    by: list[str],
    measures: list[str],
    name: str,
    start: int,
    end: int,
) -> pl.LazyFrame:
    """Add the count and totals of the events from `start` to before `end` around the prediction."""
    totals = _running(events, by, measures)
    frame = _before(frame, totals, by, pl.col("predicts") + start, f"{name}_start")
    frame = _before(frame, totals, by, pl.col("predicts") + end, f"{name}_end")
    return _less(frame, ["count", *measures], name)


def _running(events: pl.LazyFrame, by: list[str], measures: list[str]) -> pl.LazyFrame:
    """Return the running count and totals after each minute with events, by entity key."""
    count = pl.len().cast(pl.Int64).alias("count")
    by_minute = events.group_by(*by, "at").agg(count, *(pl.col(name).sum() for name in measures))
    running = [pl.col(name).cum_sum().over(by) for name in ("count", *measures)]
    return by_minute.sort("at").with_columns(running)


def _before(
    frame: pl.LazyFrame, totals: pl.LazyFrame, by: list[str], instant: pl.Expr, suffix: str
) -> pl.LazyFrame:
    """Add the running totals strictly before an instant; 0 where nothing was before."""
    names = [name for name in totals.collect_schema().names() if name not in {*by, "at"}]
    renamed = totals.rename({name: f"{name}_{suffix}" for name in names})
    return (
        frame.with_columns(instant.alias("_at"))
        .join_asof(
            renamed, left_on="_at", right_on="at", by=by, allow_exact_matches=False, coalesce=False,
            check_sortedness=False,
        )
        .drop("_at", "at")
        .with_columns(pl.col(f"{name}_{suffix}").fill_null(0) for name in names)
    )  # fmt: skip


def _less(frame: pl.LazyFrame, names: list[str], prefix: str) -> pl.LazyFrame:
    return frame.with_columns(
        (pl.col(f"{name}_{prefix}_end") - pl.col(f"{name}_{prefix}_start")).alias(
            f"{prefix}_{name}"
        )
        for name in names
    ).drop(f"{name}_{prefix}_{end}" for name in names for end in ("start", "end"))


def _standing(
    frame: pl.LazyFrame, flights: pl.LazyFrame, by: list[str], name: str
) -> pl.LazyFrame:
    """Add the flights that are overdue: their count, and the total of their departures."""
    closes = pl.min_horizontal("left", "cancelled", pl.col("departs") + 720)
    open_ = flights.with_columns(closes=closes).filter(pl.col("closes") > pl.col("departs"))
    opened = open_.select(*by, "departs", at="departs")
    closed = open_.select(*by, "departs", at="closes").sort("at")
    measures = ["departs"]
    for side, events in (("end", opened), ("start", closed)):
        renamed = events.rename({"departs": "since"})
        totals = _running(renamed, by, ["since"])
        frame = _before(frame, totals, by, pl.col("predicts"), f"{name}_{side}")
    return _less(frame, ["count", *("since" for _ in measures)], name)


def _days(
    frame: pl.LazyFrame, events: pl.LazyFrame, by: list[str], name: str
) -> pl.LazyFrame:
    """Add the totals of the 28 whole days before the prediction's: one look-up a key and day."""
    midnight = pl.col("predicts") // _DAY * _DAY
    asked = frame.select(*by, midnight=midnight).unique().sort("midnight")
    totals = _running(events, by, ["delay", "late"])
    asked = _before(asked, totals, by, pl.col("midnight") - 28 * _DAY, f"{name}_start")
    asked = _before(asked, totals, by, pl.col("midnight"), f"{name}_end")
    found = _less(asked, ["count", "delay", "late"], name)
    return frame.with_columns(midnight=midnight).join(
        found, on=[*by, "midnight"], how="left", maintain_order="left"
    )


def _latest(
    frame: pl.LazyFrame, events: pl.LazyFrame, anchor: str, names: dict[str, str]
) -> pl.LazyFrame:
    """Add values of the aircraft's latest event strictly before an anchor, within four days."""
    wanted = events.select(c.TAIL_NUMBER, pl.col("at").alias("_at"), *names).rename(names)
    recent = pl.col(anchor) - pl.col("_at") <= 4 * _DAY
    return (
        frame.join_asof(
            wanted.filter(pl.col(c.TAIL_NUMBER).is_not_null()),
            left_on=anchor, right_on="_at", by=c.TAIL_NUMBER, allow_exact_matches=False,
            coalesce=False, check_sortedness=False,
        )
        .with_columns(pl.when(recent).then(pl.col(name)).alias(name) for name in names.values())
        .drop("_at")
    )  # fmt: skip


def _with_weather(frame: pl.LazyFrame, weather: pl.LazyFrame) -> pl.LazyFrame:
    return frame.join_asof(
        weather, left_on="predicts", right_on="at", by=c.ORIGIN, allow_exact_matches=False,
        tolerance=360, check_sortedness=False,
    )  # fmt: skip


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
