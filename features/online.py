"""Online features: the features of one flight from the state of its entity keys.

The state of a key is one small item: its recent events with running totals, and its totals by day.
The inputs of every declared feature are resolved from items here, and combined by the very
functions that the kernel calls over the whole table: same inputs, same bits.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from features import columns as c
from features.catalog import FEATURES
from features.contract import selected
from features.declarations import (
    LOCAL_HOUR,
    MINUTES_PER_DAY,
    Days,
    Entity,
    Input,
    Latest,
    Minutes,
    Own,
    Standing,
    Sum,
    UntilDeparture,
)
from features.items import Item, Track, decode
from features.streams import STREAMS, measure_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.contract import Contract
    from features.declarations import Feature

NAN: Final = np.float64(np.nan)
_ZERO: Final = np.float64(0.0)


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A flight as its schedule tells it; instants are UTC minutes since the epoch.

    Attributes:
        origin_utc_offset_min: Local time at the origin less UTC at the scheduled departure.
        destination_utc_offset_min: Local time at the destination less UTC at the arrival.
        distance_mi: Distance, None when it is not known.
        tail_number: The aircraft, None when it is not known.
    """

    carrier: str
    flight_number: int
    origin: str
    destination: str
    scheduled_departure_at: int
    scheduled_arrival_at: int
    origin_utc_offset_min: int
    destination_utc_offset_min: int
    distance_mi: int | None = None
    tail_number: str | None = None

    @property
    def flight_id(self) -> str:
        """Carrier, flight number and UTC hour of the scheduled departure."""
        hour = dt.datetime.fromtimestamp(self.scheduled_departure_at * 60, tz=dt.UTC)
        return f"{self.carrier}-{self.flight_number}-{hour:%Y%m%d%H}"

    @property
    def local_hour(self) -> int:
        """Local hour of the scheduled departure."""
        local = self.scheduled_departure_at + self.origin_utc_offset_min
        return local % MINUTES_PER_DAY // 60


def key_of(entity: Entity, parts: Mapping[str, str | int | None]) -> str | None:
    """Return the key of an item, such as `origin=JFK|carrier=B6`; None where a part is missing."""
    found = []
    for part in entity:
        value = parts[part]
        if value is None:
            return None
        found.append(f"{part}={value}")
    return "|".join(found) or "all"


def entities(features: tuple[Feature, ...] = FEATURES) -> tuple[Entity, ...]:
    """Return the entities of the declared features, each once."""
    used = {item.entity: None for f in features for item in f.inputs if not isinstance(item, Own)}
    return tuple(used)


def keys_of(flight: Flight, features: tuple[Feature, ...] = FEATURES) -> list[str]:
    """Return the keys of all items that the flight's features read: one batched read."""
    parts = _parts(flight)
    used = _ENTITIES if features is FEATURES else entities(features)
    return [key for entity in used if (key := key_of(entity, parts)) is not None]


def features_of(
    flight: Flight,
    as_of: int,
    items: Mapping[str, bytes],
    contract: Contract,
    features: tuple[Feature, ...] = FEATURES,
) -> tuple[list[float | str | None], list[str]]:
    """Return the features of a flight as known just before an instant.

    Args:
        flight: The flight.
        as_of: Minutes since the epoch; what is known at that minute or later is not used.
        items: The encoded items by key; a key that is not there has no events.
        contract: The features wanted, in order.
        features: The declared features.

    Returns:
        The values in contract order, None where missing, and the names of those that are missing.
    """
    state = _State(flight, as_of, items)
    values: list[float | str | None] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for feature in selected((spec.name for spec in contract.features), features):
            if feature.dtype == "string":
                text = state.parts[feature.name]
                values.append(None if text is None else str(text))
                continue
            number = float(feature.compute(*(state.resolve(item) for item in feature.inputs)))
            values.append(None if math.isnan(number) else number)
    names = (spec.name for spec in contract.features)
    return values, [name for name, value in zip(names, values, strict=True) if value is None]


class _State:
    """The resolved inputs of one flight at one instant."""

    def __init__(self, flight: Flight, as_of: int, items: Mapping[str, bytes]) -> None:
        self.parts = _parts(flight)
        departure = flight.scheduled_departure_at
        self._anchors = {"prediction": as_of, "departure": departure}
        self._own = {
            c.SCHEDULED_DEPARTURE: departure,
            c.SCHEDULED_ARRIVAL: flight.scheduled_arrival_at,
            c.ORIGIN_OFFSET: flight.origin_utc_offset_min,
            c.DESTINATION_OFFSET: flight.destination_utc_offset_min,
            c.DISTANCE: flight.distance_mi,
            c.PREDICTION_TIME: as_of,
        }
        self._items = items
        self._decoded: dict[Entity, Item | None] = {}
        self._resolved: dict[Input, np.float64] = {}

    def resolve(self, item: Input) -> np.float64:
        """Return the value of an input; NaN where missing."""
        value = self._resolved.get(item)
        if value is None:
            value = self._resolved[item] = self._found(item)
        return value

    def _found(self, item: Input) -> np.float64:
        match item:
            case Own():
                own = self._own[item.column]
                return NAN if own is None else np.float64(own)
            case Sum():
                return self._sum(item)
            case Standing():
                return self._standing(item)
            case Latest():
                return self._latest(item)

    def _sum(self, item: Sum) -> np.float64:
        state = self._item(item.entity)
        if state is None:
            return _ZERO
        if isinstance(item.window, Days):
            days = state.days.get(item.stream, {}).get(item.measure, {})
            today = self._anchors["prediction"] // MINUTES_PER_DAY
            first = today - item.window.count
            return np.float64(sum(days.get(day, 0) for day in range(first, today)))
        track = state.tracks.get(item.stream)
        if track is None:
            return _ZERO
        minutes, totals = track.minutes.cast("q"), track.totals[item.measure].cast("q")
        start, end = self._edges(item.window)
        return np.float64(totals[bisect_left(minutes, end)] - totals[bisect_left(minutes, start)])

    def _standing(self, item: Standing) -> np.float64:
        state = self._item(item.entity)
        if state is None or item.stream not in state.tracks:
            return _ZERO
        at = self._anchors["prediction"]
        opened = _before(state.tracks[item.stream], item.measure, at)
        return np.float64(opened - _before(state.closings[item.stream], item.measure, at))

    def _latest(self, item: Latest) -> np.float64:
        state = self._item(item.entity)
        track = state.tracks.get(item.stream) if state is not None else None
        if track is None:
            return NAN
        anchor = self._anchors[item.anchor] - item.ago_min
        minutes = track.minutes.cast("q")
        position = bisect_left(minutes, anchor) - 1
        if position < 0 or minutes[position] < anchor - item.within_min:
            return NAN
        if measure_of(STREAMS[item.stream], item.measure).known_at is not None:
            known = track.known[item.measure].cast("d")[position]
            if not known < self._anchors["prediction"]:
                return NAN
        return np.float64(track.values[item.measure].cast("d")[position])

    def _edges(self, window: Minutes | UntilDeparture) -> tuple[int, int]:
        if isinstance(window, UntilDeparture):
            return self._anchors["prediction"], self._anchors["departure"]
        anchor = self._anchors[window.anchor]
        return anchor - window.before, anchor + window.after

    def _item(self, entity: Entity) -> Item | None:
        if entity not in self._decoded:
            key = key_of(entity, self.parts)
            body = None if key is None else self._items.get(key)
            self._decoded[entity] = None if body is None else decode(body)
        return self._decoded[entity]


def _before(track: Track, measure: str, at: int) -> int:
    total: int = track.totals[measure].cast("q")[bisect_left(track.minutes.cast("q"), at)]
    return total


def _parts(flight: Flight) -> dict[str, str | int | None]:
    return {
        c.CARRIER: flight.carrier,
        c.FLIGHT_NUMBER: flight.flight_number,
        c.ORIGIN: flight.origin,
        c.DESTINATION: flight.destination,
        c.TAIL_NUMBER: flight.tail_number,
        LOCAL_HOUR: flight.local_hour,
    }


_ENTITIES: Final = entities()
