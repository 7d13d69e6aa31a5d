"""The work in Spark as it is usually written: a window or join of its own for each feature.

For each feature the events and the predictions are put together, sorted by entity key and time,
and looked back over with a range window; what it found is joined to the flights. To Delta.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from benchmarks.work import HORIZON_MIN, NAMES
from features.declare import columns as c
from pipelines.settings import load_settings
from pipelines.spark.session import open_session
from pipelines.tables.delta_tables import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pyspark.sql import Column, DataFrame

_DAY: Final = 1440
_TIES: Final = ("departs", c.FLIGHT_NUMBER, c.CARRIER)
_MINUTES: Final = {
    "departs": c.SCHEDULED_DEPARTURE,
    "left": c.DEPARTURE_KNOWN,
    "landed": c.ARRIVAL_KNOWN,
    "cancelled": c.CANCELLATION_KNOWN,
}


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to a Delta table at `target`."""
    settings = load_settings()
    spark = open_session(settings.spark, home=target.parent)
    flights = _flights(spark.read.parquet(str(source / "silver_flights")))
    weather = spark.read.parquet(str(source / "silver_weather"))
    frame = flights
    for feature in (*_windows(flights), *_standing(flights), *_days(flights), *_tail(flights)):
        frame = frame.join(feature, on=c.FLIGHT_ID, how="left")
    frame = frame.join(_weather(flights, weather), on=c.FLIGHT_ID, how="left")
    result = _result(frame)
    Tables(spark, str(target.parent)).replace(target.name, result, description="benchmark")


def _flights(silver: DataFrame) -> DataFrame:
    minutes = {name: _minute(column) for name, column in _MINUTES.items()}
    return silver.withColumns(minutes).withColumn("predicts", F.col("departs") - HORIZON_MIN)


def _minute(column: str) -> Column:
    return F.floor(F.unix_seconds(column) / 60)


def _known(flights: DataFrame, at: str, delay: str) -> DataFrame:
    """Return the events that became known within two days."""
    events = flights.where(F.col(at) - F.col("departs") <= 2 * _DAY)
    late = (F.col(delay) >= 15).cast("int")
    return events.withColumns({"at": F.col(at), "delay": F.col(delay), "late": late})


def _looked_back(
    flights: DataFrame,
    events: DataFrame,
    by: Sequence[str],
    asked: tuple[Column, tuple[int, int]],
    found: Mapping[str, Column],
) -> DataFrame:
    """Return aggregates of the events in a range of minutes around an instant of each flight.

    Args:
        flights: The flights that ask.
        events: The events, with their minute `at`.
        by: The entity key.
        asked: An instant of each flight, and the first and last minute of the range around it.
        found: By name, an aggregate over the events in the range.
    """
    at, window = asked
    asks = flights.select(c.FLIGHT_ID, *by, at.alias("at"), F.lit(1).alias("asks"))
    both = asks.unionByName(events.drop(c.FLIGHT_ID), allowMissingColumns=True)
    range_ = Window.partitionBy(*by).orderBy("at").rangeBetween(*window)
    looked = both.withColumns({name: each.over(range_) for name, each in found.items()})
    return looked.where(F.col("asks").isNotNull()).select(c.FLIGHT_ID, *found)


def _count() -> Column:
    return F.count(F.when(F.col("asks").isNull(), 1))


def _windows(flights: DataFrame) -> list[DataFrame]:
    leaving = _known(flights, "left", c.DEPARTURE_DELAY)
    landing = _known(flights, "landed", c.ARRIVAL_DELAY)
    cancelling = _known(flights, "cancelled", c.DEPARTURE_DELAY)
    scheduled = flights.withColumn("at", F.col("departs"))
    predicts, departs = F.col("predicts"), F.col("departs")
    origin, carrier = [c.ORIGIN], [c.CARRIER]
    delay = {"departure_delay_origin_3h": F.avg("delay")}
    late = {"departure_late_origin_3h": F.avg("late")}
    landed = {"arrival_delay_carrier_8h": F.avg("delay")}
    cancelled = {"cancelled_origin_12h": _count()}
    traffic = {"traffic_origin": _count()}
    return [
        _looked_back(flights, leaving, origin, (predicts, (-180, -1)), delay),
        _looked_back(flights, leaving, origin, (predicts, (-180, -1)), late),
        _looked_back(flights, landing, carrier, (predicts, (-480, -1)), landed),
        _looked_back(flights, cancelling, origin, (predicts, (-720, -1)), cancelled),
        _looked_back(flights, scheduled, origin, (departs, (-60, 60)), traffic),
    ]


def _standing(flights: DataFrame) -> list[DataFrame]:
    """Return the two features of overdue flights: opened less closed, over the last 12 hours."""
    closes = F.least("left", "cancelled", F.col("departs") + 720)
    overdue = flights.withColumn("closes", closes).where(F.col("closes") > F.col("departs"))
    opened = overdue.withColumns({"at": F.col("departs"), "sign": F.lit(1)})
    closed = overdue.withColumns({"at": F.col("closes"), "sign": F.lit(-1)})
    changes = opened.unionByName(closed).withColumn("since", F.col("sign") * F.col("departs"))
    predicts, ever = F.col("predicts"), (Window.unboundedPreceding, -1)
    at_origin = {"overdue_count_origin": F.sum("sign")}
    of_carrier = {"open_count": F.sum("sign"), "open_since": F.sum("since")}
    return [
        _looked_back(flights, changes, [c.ORIGIN], (predicts, ever), at_origin),
        _looked_back(flights, changes, [c.CARRIER], (predicts, ever), of_carrier),
    ]


def _days(flights: DataFrame) -> list[DataFrame]:
    """Return the two features of the 28 whole days before the day of the prediction."""
    landing = _known(flights, "landed", c.ARRIVAL_DELAY)
    route, number = [c.ORIGIN, c.DESTINATION], [c.CARRIER, c.FLIGHT_NUMBER]
    midnight, range_ = F.floor(F.col("predicts") / _DAY) * _DAY, (-28 * _DAY, -1)
    late, delay = {"late_route_28d": F.avg("late")}, {"delay_flight_28d": F.avg("delay")}
    return [
        _looked_back(flights, landing, route, (midnight, range_), late),
        _looked_back(flights, landing, number, (midnight, range_), delay),
    ]


def _tail(flights: DataFrame) -> list[DataFrame]:
    """Return the three features of an aircraft's latest event within four days."""
    flown = flights.where(F.col(c.TAIL_NUMBER).isNotNull())
    leaving = _known(flown, "left", c.DEPARTURE_DELAY)
    landing = _known(flown, "landed", c.ARRIVAL_DELAY)
    scheduled = flown.withColumn("at", F.col("departs"))
    predicts, departs = F.col("predicts"), F.col("departs")
    return [
        _latest(flown, leaving, predicts, {"tail_departure_delay": "delay"}),
        _latest(flown, landing, predicts, {"tail_landed": "at"}),
        _latest(flown, scheduled, departs, {"leg_at": "at", "leg_left": "left"}),
    ]


def _latest(
    flights: DataFrame, events: DataFrame, at: Column, found: Mapping[str, str]
) -> DataFrame:
    """Return values of the latest event: of those in one minute, the last by schedule."""
    order = F.struct("at", *_TIES)
    is_event = F.col("asks").isNull()
    latest = {
        name: F.max_by(F.col(column), F.when(is_event, order)) for name, column in found.items()
    }
    return _looked_back(flights, events, [c.TAIL_NUMBER], (at, (-4 * _DAY, -1)), latest)


def _weather(flights: DataFrame, weather: DataFrame) -> DataFrame:
    names = {"wind_speed": c.WIND_SPEED, "pressure": c.PRESSURE, "visibility": c.VISIBILITY}
    reports = weather.withColumnRenamed(c.AIRPORT, c.ORIGIN).withColumn("at", _minute(c.KNOWN))
    order = F.when(F.col("asks").isNull(), F.col("at"))
    latest = {name: F.max_by(F.col(column), order) for name, column in names.items()}
    return _looked_back(flights, reports, [c.ORIGIN], (F.col("predicts"), (-360, -1)), latest)


def _result(frame: DataFrame) -> DataFrame:
    predicts = F.col("predicts")
    overdue = F.greatest(F.lit(0), F.least(F.lit(720), predicts - F.col("leg_at")))
    flown = F.col("leg_left") < predicts
    derived = {
        "overdue_minutes_carrier": F.col("open_count") * predicts - F.col("open_since"),
        "tail_since_arrival": F.col("departs") - F.col("tail_landed"),
        "leg_delay": F.when(F.col("leg_at").isNull(), None)
        .when(flown, F.col("leg_left") - F.col("leg_at"))
        .otherwise(overdue),
    }
    prediction = F.timestamp_seconds(predicts * 60)
    counts = ["overdue_count_origin", "overdue_minutes_carrier"]
    return frame.withColumns(derived).fillna(0, subset=counts).select(
        c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE, prediction.alias(c.PREDICTION_TIME),
        *(F.col(name).cast("double").alias(name) for name in NAMES),
        (F.col(c.ARRIVAL_DELAY) >= 15).cast("int").alias(c.LABEL),
    )  # fmt: skip
