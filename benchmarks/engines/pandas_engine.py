"""The work in pandas and numpy: grouped running totals and merge_asof, to Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from benchmarks.work import HORIZON_MIN, NAMES
from features.declare import columns as c

if TYPE_CHECKING:
    from pathlib import Path

_DAY: Final = 1440
_INSTANTS: Final = {
    c.SCHEDULED_DEPARTURE: "departs",
    c.DEPARTURE_KNOWN: "left",
    c.ARRIVAL_KNOWN: "landed",
    c.CANCELLATION_KNOWN: "cancelled",
}
_TEXTS: Final = (c.CARRIER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER)
_NEVER: Final = np.iinfo(np.int64).max // 4
"""Minute of what did not happen."""


def run(source: Path, target: Path) -> None:
    """Do the work from `source` to one Parquet file below `target`."""
    flights = _flights(source)
    predicts = flights["departs"] - HORIZON_MIN
    leaving = _known(flights, "left", c.DEPARTURE_DELAY)
    landing = _known(flights, "landed", c.ARRIVAL_DELAY)
    cancelled = _known(flights, "cancelled", c.DEPARTURE_DELAY)
    scheduled = flights.assign(at=flights["departs"])
    origin, carrier = [c.ORIGIN], [c.CARRIER]
    o3 = _window(flights, leaving, origin, ["delay", "late"], (predicts - 180, predicts))
    c8 = _window(flights, landing, carrier, ["delay"], (predicts - 480, predicts))
    x12 = _window(flights, cancelled, origin, [], (predicts - 720, predicts))
    departs = flights["departs"]
    around = _window(flights, scheduled, origin, [], (departs - 60, departs + 61))
    flights["departure_delay_origin_3h"] = _mean(o3, "delay")
    flights["departure_late_origin_3h"] = _mean(o3, "late")
    flights["arrival_delay_carrier_8h"] = _mean(c8, "delay")
    flights["cancelled_origin_12h"] = x12["count"].astype(np.float64)
    flights["traffic_origin"] = around["count"].astype(np.float64)
    at_origin, of_carrier = (_standing(flights, by, predicts) for by in (origin, carrier))
    flights["overdue_count_origin"] = at_origin["count"].astype(np.float64)
    waited = of_carrier["count"] * predicts - of_carrier["departs"]
    flights["overdue_minutes_carrier"] = waited.astype(np.float64)
    by_route = _days(flights, landing, [c.ORIGIN, c.DESTINATION], predicts)
    by_flight = _days(flights, landing, [c.CARRIER, c.FLIGHT_NUMBER], predicts)
    flights["late_route_28d"] = _mean(by_route, "late")
    flights["delay_flight_28d"] = _mean(by_flight, "delay")
    _add_tail(flights, leaving, landing, scheduled, predicts)
    _write(_with_weather(flights, source, predicts), predicts, target)


def _flights(source: Path) -> pd.DataFrame:
    columns = [
        c.FLIGHT_ID, c.FLIGHT_DATE, c.FLIGHT_NUMBER, c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, *_TEXTS,
        *_INSTANTS,
    ]  # fmt: skip
    flights = pd.read_parquet(source / "silver_flights", columns=columns)
    for column, name in _INSTANTS.items():
        flights[name] = _minutes(flights[column])
    for column in _TEXTS:
        flights[column] = flights[column].astype("category")
    return flights.sort_values(["departs", c.FLIGHT_NUMBER, c.CARRIER], ignore_index=True)


def _minutes(instants: pd.Series) -> pd.Series:
    """Return whole minutes since the epoch; `_NEVER` where missing."""
    seconds = instants.astype("datetime64[s, UTC]")
    return seconds.astype(np.int64).floordiv(60).where(instants.notna(), _NEVER)


def _known(flights: pd.DataFrame, at: str, delay: str) -> pd.DataFrame:
    """Return the events that became known within two days, in the order in which they did."""
    known = flights[flights[at] - flights["departs"] <= 2 * _DAY]
    events = known[[*_TEXTS, c.FLIGHT_NUMBER]].assign(at=known[at], delay=known[delay].fillna(0))
    events["delay"] = events["delay"].astype(np.int64)
    events["late"] = (events["delay"] >= 15).astype(np.int64)
    return events.sort_values("at", kind="stable")


def _running(events: pd.DataFrame, by: list[str], measures: list[str]) -> pd.DataFrame:
    """Return the running count and totals after each event, by entity key, in time order."""
    grouped = events.groupby(by, observed=True, sort=False)
    totals = events[["at", *by]].assign(count=grouped.cumcount() + 1)
    return totals.assign(**{name: grouped[name].cumsum() for name in measures})


def _before(keys: pd.DataFrame, totals: pd.DataFrame, by: list[str], at: pd.Series) -> pd.DataFrame:
    """Return, for each row, the totals strictly before an instant; 0 where nothing was before."""
    asked = keys[by].assign(at=at)
    if not asked["at"].is_monotonic_increasing:
        asked = asked.sort_values("at", kind="stable")
    found = pd.merge_asof(asked, totals, on="at", by=by, allow_exact_matches=False)
    found.index = asked.index
    return found.drop(columns=["at", *by]).fillna(0).astype(np.int64).reindex(keys.index)


def _window(
    keys: pd.DataFrame,
    events: pd.DataFrame,
    by: list[str],
    measures: list[str],
    range_: tuple[pd.Series, pd.Series],
) -> pd.DataFrame:
    """Return the count and totals of the events from the range's start to before its end."""
    totals = _running(events, by, measures)
    start, end = range_
    return _before(keys, totals, by, end) - _before(keys, totals, by, start)


def _standing(flights: pd.DataFrame, by: list[str], at: pd.Series) -> pd.DataFrame:
    """Return the flights that are overdue: their count, and the total of their departures."""
    closes = flights[["left", "cancelled"]].min(axis=1).clip(upper=flights["departs"] + 720)
    overdue = flights[[*by, "departs"]].assign(closes=closes)[closes > flights["departs"]]
    opened = _running(overdue.assign(at=overdue["departs"]), by, ["departs"])
    closings = overdue.assign(at=overdue["closes"]).sort_values("at", kind="stable")
    closed = _running(closings, by, ["departs"])
    return _before(flights, opened, by, at) - _before(flights, closed, by, at)


def _days(
    flights: pd.DataFrame, events: pd.DataFrame, by: list[str], predicts: pd.Series
) -> pd.DataFrame:
    """Return the totals of the 28 whole days before the prediction's: one look-up a key and day."""
    keys = flights[by].assign(midnight=predicts // _DAY * _DAY)
    asked = keys.drop_duplicates().sort_values("midnight", ignore_index=True)
    midnight = asked["midnight"]
    start = midnight - 28 * _DAY
    totals = _window(asked, events, by, ["delay", "late"], (start, midnight))
    return keys.merge(asked.join(totals), on=[*by, "midnight"], how="left")


def _mean(totals: pd.DataFrame, measure: str) -> pd.Series:
    return totals[measure] / totals["count"].where(totals["count"] > 0)


def _latest(
    flights: pd.DataFrame, events: pd.DataFrame, at: pd.Series, values: list[str]
) -> pd.DataFrame:
    """Return the aircraft's latest event strictly before an instant, within four days."""
    known = events[events[c.TAIL_NUMBER].notna()]
    right = known[[c.TAIL_NUMBER, "at", *values]].rename(columns={"at": "event"})
    asked = flights[[c.TAIL_NUMBER]].assign(at=at)
    found = pd.merge_asof(
        asked, right, left_on="at", right_on="event", by=c.TAIL_NUMBER, allow_exact_matches=False,
        tolerance=4 * _DAY,
    )  # fmt: skip
    return found.where(asked[c.TAIL_NUMBER].notna())


def _add_tail(
    flights: pd.DataFrame,
    leaving: pd.DataFrame,
    landing: pd.DataFrame,
    scheduled: pd.DataFrame,
    predicts: pd.Series,
) -> None:
    """Add the features of the aircraft's last known departure and arrival, and previous leg."""
    flights["tail_departure_delay"] = _latest(flights, leaving, predicts, ["delay"])["delay"]
    last = _latest(flights, landing, predicts, [])["event"]
    flights["tail_since_arrival"] = flights["departs"] - last
    leg = _latest(flights, scheduled, flights["departs"], ["left"])
    overdue = (predicts - leg["event"]).clip(0, 720)
    known = leg["left"] < predicts
    flights["leg_delay"] = (leg["left"] - leg["event"]).where(known, overdue)


def _with_weather(flights: pd.DataFrame, source: Path, predicts: pd.Series) -> pd.DataFrame:
    columns = [c.AIRPORT, c.KNOWN, c.WIND_SPEED, c.PRESSURE, c.VISIBILITY]
    weather = pd.read_parquet(source / "silver_weather", columns=columns)
    names = {c.WIND_SPEED: "wind_speed", c.PRESSURE: "pressure", c.VISIBILITY: "visibility"}
    reports = weather.rename(columns=names).assign(predicts=_minutes(weather[c.KNOWN]))
    airports = flights[c.ORIGIN].cat.categories
    reports[c.ORIGIN] = pd.Categorical(reports[c.AIRPORT], categories=airports)
    return pd.merge_asof(
        flights.assign(predicts=predicts),
        reports.drop(columns=[c.AIRPORT, c.KNOWN]).sort_values("predicts"),
        on="predicts", by=c.ORIGIN, allow_exact_matches=False, tolerance=360,
    )  # fmt: skip


def _write(flights: pd.DataFrame, predicts: pd.Series, target: Path) -> None:
    prediction = pd.to_datetime(predicts * 60, unit="s", utc=True).astype("datetime64[us, UTC]")
    label = flights[c.ARRIVAL_DELAY].ge(15).astype("Int32")
    flights[c.LABEL] = label.mask(flights[c.ARRIVAL_DELAY].isna())
    flights[c.PREDICTION_TIME] = prediction
    target.mkdir(parents=True, exist_ok=True)
    identity = [c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE, c.PREDICTION_TIME]
    flights[[*identity, *NAMES, c.LABEL]].to_parquet(target / "part-0.parquet", index=False)
