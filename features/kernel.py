"""The kernel: all features of a block of flights at once, in numpy.

Each stream is sorted once per entity key, with running totals; a window's total is the difference
of two of them, found by binary search. Totals are integers, so the result depends neither on the
order of the rows nor on how the days were cut into blocks, as long as a block brings its halo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from features import columns as c
from features.declarations import (
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
    Window,
)
from features.events import (
    NULL,
    Events,
    closing_minutes,
    entity_codes,
    event_minutes,
    measured,
    measured_floats,
    taken,
    to_floats,
    with_local_hour,
)
from features.streams import COUNT, STREAMS, Stream, measure_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from features.declarations import Feature

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_TIME_BITS: Final = 28  # minutes since the epoch fit until the year 2480


@dataclass
class _Index:
    """The events of one stream under one entity, sorted by key and time."""

    keys: Ints
    order: NDArray[np.intp]
    totals: dict[str, Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Ints, minutes: Ints) -> _Index:
        rows = np.flatnonzero((codes >= 0) & (minutes != NULL))
        keys = (codes[rows] << _TIME_BITS) | minutes[rows]
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], rows[order])

    def before(self, codes: Ints, minutes: Ints) -> NDArray[np.intp]:
        """Return how many events sort before (code, minute)."""
        return np.searchsorted(self.keys, (np.maximum(codes, 0) << _TIME_BITS) | minutes)


class Kernel:
    """Resolves the inputs of features for the wanted flights of one block.

    Args:
        flights: Flights of the block and its halo.
        weather: Weather observations of the block and its halo.
        wanted: Which flights to compute features for.
        horizon_min: Minutes from the prediction time to the scheduled departure.
    """

    def __init__(
        self, flights: Events, weather: Events, wanted: Bools, *, horizon_min: int
    ) -> None:
        rows = np.lexsort(
            (
                flights.codes[c.CARRIER],
                flights.integers[c.FLIGHT_NUMBER],
                flights.integers[c.SCHEDULED_DEPARTURE],
            )
        )
        self._flights = taken(with_local_hour(flights), rows)
        self._weather = taken(weather, np.argsort(weather.integers[c.KNOWN], kind="stable"))
        self._rows = np.flatnonzero(wanted[rows])
        self.source_rows = rows[self._rows]
        """Rows of the given flights that the results are for, in the order of the results."""
        departure = self._flights.integers[c.SCHEDULED_DEPARTURE][self._rows]
        self._anchors = {"departure": departure, "prediction": departure - horizon_min}
        self._codes: dict[tuple[str, Entity], Ints] = {}
        self._indexes: dict[tuple[str, Entity], _Index] = {}
        self._closings: dict[tuple[str, Entity], _Index] = {}
        self._bounds: dict[
            tuple[str, Entity, Window], tuple[NDArray[np.intp], NDArray[np.intp]]
        ] = {}

    def compute(self, features: Iterable[Feature]) -> dict[str, Floats]:
        """Return one array per numeric feature, NaN where missing, aligned with `source_rows`."""
        resolved: dict[Input, Floats] = {}
        values: dict[str, Floats] = {}
        with np.errstate(divide="ignore", invalid="ignore"):
            for feature in features:
                for item in feature.inputs:
                    if item not in resolved:
                        resolved[item] = self._resolve(item)
                values[feature.name] = feature.compute(*(resolved[i] for i in feature.inputs))
        return values

    def _resolve(self, item: Input) -> Floats:
        match item:
            case Own():
                return self._own(item)
            case Sum():
                return self._sum(item)
            case Standing():
                return self._standing(item)
            case Latest():
                return self._latest(item)

    def _own(self, item: Own) -> Floats:
        if item.column == c.PREDICTION_TIME:
            return self._anchors["prediction"].astype(np.float64)
        return to_floats(self._flights.integers[item.column][self._rows])

    def _sum(self, item: Sum) -> Floats:
        stream = STREAMS[item.stream]
        index = self._index(stream, item.entity)
        cache_key = (item.stream, item.entity, item.window)
        if cache_key not in self._bounds:
            codes = self._wanted_codes(item.entity)
            start, end = self._edges(item.window)
            self._bounds[cache_key] = (index.before(codes, start), index.before(codes, end))
        first, last = self._bounds[cache_key]
        totals = self._totals(index, stream, item.measure)
        found = totals[last] - totals[first]
        found[self._wanted_codes(item.entity) < 0] = 0
        return found.astype(np.float64)

    def _standing(self, item: Standing) -> Floats:
        stream = STREAMS[item.stream]
        codes, at = self._wanted_codes(item.entity), self._anchors["prediction"]
        found = np.zeros(len(at), dtype=np.int64)
        sides = ((self._index(stream, item.entity), 1), (self._closing(stream, item.entity), -1))
        for index, sign in sides:
            totals = self._totals(index, stream, item.measure)
            until = totals[index.before(codes, at)]
            found += sign * (until - totals[index.before(codes, np.zeros_like(at))])
        found[codes < 0] = 0
        return found.astype(np.float64)

    def _latest(self, item: Latest) -> Floats:
        stream = STREAMS[item.stream]
        index = self._index(stream, item.entity)
        codes = self._wanted_codes(item.entity)
        anchor = self._anchors[item.anchor] - item.ago_min
        position = index.before(codes, anchor) - 1
        oldest = index.before(codes, anchor - item.within_min)
        found = (position >= oldest) & (codes >= 0)
        if not len(index.keys):
            return np.full(len(anchor), np.nan)
        rows = index.order[np.maximum(position, 0)]
        measure = measure_of(stream, item.measure)
        values = measured_floats(measure, self._table(stream))[rows]
        if measure.known_at is not None:
            known = self._table(stream).integers[measure.known_at][rows]
            found &= (known != NULL) & (known < self._anchors["prediction"])
        return np.where(found, values, np.nan)

    def _edges(self, window: Window) -> tuple[Ints, Ints]:
        match window:
            case Minutes():
                anchor = self._anchors[window.anchor]
                return anchor - window.before, anchor + window.after
            case UntilDeparture():
                return self._anchors["prediction"], self._anchors["departure"]
            case Days():
                midnight = self._anchors["prediction"] // MINUTES_PER_DAY * MINUTES_PER_DAY
                return midnight - window.count * MINUTES_PER_DAY, midnight

    def _index(self, stream: Stream, entity: Entity) -> _Index:
        key = (stream.name, entity)
        if key not in self._indexes:
            minutes = event_minutes(stream, self._table(stream))
            self._indexes[key] = _Index.of(self._entity_codes(stream.table, entity), minutes)
        return self._indexes[key]

    def _closing(self, stream: Stream, entity: Entity) -> _Index:
        key = (stream.name, entity)
        if key not in self._closings:
            minutes = closing_minutes(stream, self._table(stream))
            self._closings[key] = _Index.of(self._entity_codes(stream.table, entity), minutes)
        return self._closings[key]

    def _totals(self, index: _Index, stream: Stream, name: str) -> Ints:
        if name not in index.totals:
            if name == COUNT:
                values = np.ones(len(index.order), dtype=np.int64)
            else:
                values = measured(measure_of(stream, name), self._table(stream))[index.order]
                values = np.where(values == NULL, 0, values)
            index.totals[name] = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
        return index.totals[name]

    def _table(self, stream: Stream) -> Events:
        return self._flights if stream.table == "flights" else self._weather

    def _wanted_codes(self, entity: Entity) -> Ints:
        key = ("wanted", entity)
        if key not in self._codes:
            self._codes[key] = self._entity_codes("flights", entity)[self._rows]
        return self._codes[key]

    def _entity_codes(self, table: str, entity: Entity) -> Ints:
        key = (table, entity)
        if key not in self._codes:
            if table == "weather":
                self._codes[key] = self._weather.codes[c.AIRPORT]
            else:
                self._codes[key] = entity_codes(self._flights, entity)
        return self._codes[key]
