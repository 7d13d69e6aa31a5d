"""The offline kernel: computes all features of a block of flights in numpy (ADR 0001).

Each stream is sorted once per entity key and has running totals; the total of a window is the
difference of two of them, found by binary search. Totals are integers, so the result depends
neither on the order of the rows nor on how the days are cut into blocks, as long as a block
includes its halo of earlier and later days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from features.arrays.event_arrays import (
    NULL,
    Events,
    Floats,
    Ints,
    end_minutes,
    entity_codes,
    event_minutes,
    measured_floats,
    summed,
    taken,
    to_floats,
    with_local_hour,
)
from features.arrays.search import Bools, EventIndex, Positions, Queries, key_order, stable_order
from features.declare import columns as c
from features.declare.declarations import (
    MINUTES_PER_DAY,
    Anchor,
    Days,
    Entity,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
    UntilDeparture,
    Window,
)
from features.declare.streams import STREAMS, Stream, measure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.declare.declarations import Feature

Side: TypeAlias = Literal["at", "until"]
"""The start (`at`) or the end (`until`) of intervals."""


class Kernel:
    """Resolves the inputs of features for the wanted flights of one block.

    Args:
        flights: Flights of the block and its halo.
        weather: Weather observations of the block and its halo.
        wanted: Which flights to compute features for.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        streams: The streams by name, each with its known-at rule.

    Attributes:
        source_rows: Rows of the given flights that the results are for, in the results' order.
    """

    def __init__(
        self,
        flights: Events,
        weather: Events,
        wanted: Bools,
        *,
        horizon_min: int,
        streams: Mapping[str, Stream] = STREAMS,
    ) -> None:
        self._streams = streams
        self._horizon_min = horizon_min
        self._flights, self._weather, order = in_order(flights, weather)
        self._rows = np.flatnonzero(wanted[order])
        self.source_rows = order[self._rows]
        departure = self._flights.integers[c.SCHEDULED_DEPARTURE][self._rows]
        self._anchors = {"departure": departure, "prediction": departure - horizon_min}
        self._codes: dict[tuple[str, Entity], Ints] = {}
        self._queries: dict[Entity, Queries] = {}
        self._indexes: dict[tuple[str, Entity, str], EventIndex] = {}
        self._bounds: dict[tuple[str, Entity, Window | Side], tuple[Positions, Positions]] = {}
        self._positions: dict[tuple[str, Entity, Anchor, int], Positions] = {}

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
            case OpenIntervals():
                return self._open_intervals(item)
            case Latest():
                return self._latest(item)

    def _own(self, item: Own) -> Floats:
        if item.column == c.PREDICTION_TIME:
            return self._anchors["prediction"].astype(np.float64)
        return to_floats(self._flights.integers[item.column][self._rows])

    def _sum(self, item: Sum) -> Floats:
        stream = self._streams[item.stream]
        queries = self._queries_of(item.entity)
        index = self._index(stream, item.entity, "at")
        where = (item.stream, item.entity, item.window)
        if where not in self._bounds:
            start, end = self._edges(item.window)
            self._bounds[where] = (index.before(queries, start), index.before(queries, end))
        first, last = self._bounds[where]
        totals = self._totals(index, stream, item.measure)
        return np.where(queries.missing, 0, totals[last] - totals[first]).astype(np.float64)

    def _open_intervals(self, item: OpenIntervals) -> Floats:
        opened = self._total_before(item, "at")
        closed = self._total_before(item, "until")
        missing = self._queries_of(item.entity).missing
        return np.where(missing, 0, opened - closed).astype(np.float64)

    def _total_before(self, item: OpenIntervals, side: Side) -> Ints:
        """Return the total of the events of the flight's key before the prediction time."""
        stream, at = self._streams[item.stream], self._anchors["prediction"]
        index, queries = self._index(stream, item.entity, side), self._queries_of(item.entity)
        where = (item.stream, item.entity, side)
        if where not in self._bounds:
            ever = index.before(queries, np.zeros_like(at))
            self._bounds[where] = (ever, index.before(queries, at))
        first, last = self._bounds[where]
        totals = self._totals(index, stream, item.measure)
        total: Ints = totals[last] - totals[first]
        return total

    def _latest(self, item: Latest) -> Floats:
        stream = self._streams[item.stream]
        index = self._index(stream, item.entity, "at")
        queries = self._queries_of(item.entity)
        anchor = self._anchors[item.anchor] - item.ago_min
        if not len(index.keys):
            return np.full(len(anchor), np.nan)
        where = (item.stream, item.entity, item.anchor, item.ago_min)
        if where not in self._positions:
            self._positions[where] = index.before(queries, anchor) - 1
        position = self._positions[where]
        found = index.holds(position, queries, anchor - item.within_min) & ~queries.missing
        rows = index.rows[np.maximum(position, 0)]
        measure, table = measure_of(stream, item.measure), self._table(stream)
        if measure.known_at is not None:
            known = table.integers[measure.known_at][rows]
            found &= (known != NULL) & (known < self._anchors["prediction"])
        return np.where(found, measured_floats(measure, table)[rows], np.nan)

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

    def _index(self, stream: Stream, entity: Entity, side: Side) -> EventIndex:
        where = (stream.name, entity, side)
        if where not in self._indexes:
            table = self._table(stream)
            minutes = (
                event_minutes(stream, table, horizon_min=self._horizon_min)
                if side == "at"
                else end_minutes(stream, table)
            )
            self._indexes[where] = EventIndex.of(self._codes_of(stream.table, entity), minutes)
        return self._indexes[where]

    def _totals(self, index: EventIndex, stream: Stream, name: str) -> Ints:
        if name in index.totals:
            return index.totals[name]
        return index.add_totals(name, summed(stream, name, self._table(stream)))

    def _table(self, stream: Stream) -> Events:
        return self._flights if stream.table == "flights" else self._weather

    def _queries_of(self, entity: Entity) -> Queries:
        if entity not in self._queries:
            codes = self._codes_of("flights", entity)[self._rows]
            self._queries[entity] = Queries.of(codes, self._anchors["departure"])
        return self._queries[entity]

    def _codes_of(self, table: str, entity: Entity) -> Ints:
        where = (table, entity)
        if where not in self._codes:
            in_weather = table == "weather"
            self._codes[where] = (
                self._weather.codes[c.AIRPORT]
                if in_weather
                else entity_codes(self._flights, entity)
            )
        return self._codes[where]


def in_order(flights: Events, weather: Events) -> tuple[Events, Events, Positions]:
    """Return both tables sorted by time and tie-breakers, and the sort order of the flights."""
    order = _schedule_order(flights)
    by_time = np.argsort(weather.integers[c.KNOWN], kind="stable")
    return taken(with_local_hour(flights), order), taken(weather, by_time), order


def _schedule_order(flights: Events) -> Positions:
    """Return the rows sorted by scheduled departure, flight number and carrier."""
    order = stable_order(flights.codes[c.CARRIER] + 1)  # -1 is missing
    order = order[stable_order(flights.integers[c.FLIGHT_NUMBER][order])]
    return order[key_order(np.zeros_like(order), flights.integers[c.SCHEDULED_DEPARTURE][order])]
