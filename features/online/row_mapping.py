"""Maps a silver row to the rows of the online items that contain it.

The same mapping serves both writers: the pipeline, which fills the online store from silver, and
the service, which applies events one at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from features.declare import columns as c
from features.declare.declarations import HORIZON_MIN, ORIGIN
from features.declare.streams import (
    MAX_EVENT_LAG_MIN,
    OVERDUE_FOR_MIN,
    STREAMS,
    Measure,
    Stream,
    is_instant,
    measure_of,
)
from features.online.item_bytes import NULL, Row, identity
from features.online.item_keys import key_of, rows_suffix
from features.online.item_layout import KNOWN_PREFIX, EntityLayout, layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from features.declare.declarations import Feature
    from features.online.item_layout import TrackLayout


Facts: TypeAlias = dict[str, Any]
"""The columns of a silver row: instants in minutes since the epoch, None where missing."""


class RowChange(NamedTuple):
    """An upsert or a delete of one row of one item.

    Attributes:
        key: Key of the item.
        prefix: The entity key.
        bucket: Number of the time bucket.
        entity: Number of the entity's layout.
        track: Number of the track.
        row_id: The row's id.
        row: The row to upsert; None to delete the row with this id.
    """

    key: str
    prefix: str
    bucket: int
    entity: int
    track: int
    row_id: int
    row: Row | None


_BucketRow: TypeAlias = "tuple[int, Row | None] | None"


class RowMapper:
    """Maps silver rows to the rows of all items that the given features read.

    Args:
        features: The declared features.
        horizon_min: Minutes from the prediction time to the scheduled departure.

    Attributes:
        layouts: The layouts of the items, by number.
        horizon_min: Minutes from the prediction time to the scheduled departure.
    """

    def __init__(self, features: tuple[Feature, ...], *, horizon_min: int = HORIZON_MIN) -> None:
        self.layouts = layouts(features)
        self.horizon_min = horizon_min
        self._rules: dict[tuple[TrackLayout, int], _Rule] = {}
        self._flights = self._entities("flights")
        self._weather = self._entities("weather")

    def _entities(self, table: str) -> list[tuple[int, EntityLayout, list[tuple[int, _Rule]]]]:
        found = []
        for number, layout in enumerate(self.layouts):
            span = layout.rows.span
            rules = [
                (at, self._rules.setdefault((track, span), _Rule(track, span, self.horizon_min)))
                for at, track in enumerate(layout.rows.tracks)
                if STREAMS[track.stream].table == table
            ]
            if rules and (table == "flights" or layout.entity == ORIGIN):
                found.append((number, layout, rules))
        return found

    def flight(self, facts: Facts, streams: frozenset[str] | None = None) -> Iterator[RowChange]:
        """Yield the row changes of a flight whose schedule is known.

        Args:
            facts: The columns of silver flights, and `LOCAL_HOUR`.
            streams: Names of the streams to map; None for all.
        """
        row_id = identity(facts[c.SCHEDULED_DEPARTURE], facts[c.FLIGHT_NUMBER], facts[c.CARRIER])
        return self._changes(self._flights, facts, row_id, streams)

    def weather(self, facts: Facts) -> Iterator[RowChange]:
        """Yield the row changes of an observation (columns of silver weather)."""
        parts = {**facts, c.ORIGIN: facts[c.AIRPORT]}
        return self._changes(self._weather, parts, facts[c.KNOWN], None)

    def _changes(
        self,
        entities: list[tuple[int, EntityLayout, list[tuple[int, _Rule]]]],
        facts: Facts,
        row_id: int,
        streams: frozenset[str] | None,
    ) -> Iterator[RowChange]:
        mapped: dict[_Rule, _BucketRow] = {}
        for number, layout, rules in entities:
            prefix = key_of(layout.entity, facts)
            if prefix is None:
                continue
            for track, rule in rules:
                if streams is not None and rule.stream not in streams:
                    continue
                if rule not in mapped:
                    mapped[rule] = rule.bucket_row(facts, row_id)
                found = mapped[rule]
                if found is not None:
                    key = prefix + rows_suffix(found[0], layout.rows.span)
                    yield RowChange(key, prefix, found[0], number, track, row_id, found[1])


class _Rule:
    """Maps a silver row to the row of one track, for items of one span.

    As in `features.arrays.event_arrays.event_minutes`, what happens to a flight counts from the
    flight's own prediction time at the earliest (ADR 0009).
    """

    def __init__(self, track: TrackLayout, span: int, horizon_min: int) -> None:
        stream = STREAMS[track.stream]
        self.stream = stream.name
        self._ends, self._span, self._horizon_min = track.ends, span, horizon_min
        self._at, self._until = stream.at, stream.until
        self._bounded = stream.table == "flights" and not stream.published and not stream.until
        measures = [measure_of(stream, name) for name in track.totals]
        self._totals = [(_value(measure), is_instant(measure)) for measure in measures]
        self._integers = [_integer(stream, name) for name in track.integers]
        self._floats = [measure_of(stream, name).column for name in track.floats]

    def bucket_row(self, facts: Facts, row_id: int) -> _BucketRow:
        """Return the time bucket and the row (None: delete it); None if there is no event."""
        at = facts[self._at]
        if at is None:
            return None
        late = False
        if self._bounded:
            scheduled = facts[c.SCHEDULED_DEPARTURE]
            late, at = at - scheduled > MAX_EVENT_LAG_MIN, max(at, scheduled - self._horizon_min)
        bucket = at // self._span
        if late:
            return bucket, None
        minute = at
        if self._until:
            ends = [facts[name] for name in self._until if facts[name] is not None]
            closed = min([at + OVERDUE_FOR_MIN, *ends])
            if closed <= at:
                return bucket, None
            minute = closed if self._ends else at
        start = bucket * self._span
        adds = tuple(
            0 if (v := value(facts)) is None else v - start if instant else v
            for value, instant in self._totals
        )
        integers = tuple(NULL if (v := value(facts)) is None else v for value in self._integers)
        floats = tuple(math.nan if (v := facts[n]) is None else v for n in self._floats)
        return bucket, (minute, row_id, adds, integers, floats)


def _value(measure: Measure) -> Callable[[Facts], int | None]:
    column, late_from, minus = measure.column, measure.late_from, measure.minus or ""

    def late(facts: Facts) -> int | None:
        value = facts[column]
        return None if value is None else int(value >= late_from)

    def less(facts: Facts) -> int | None:
        value, other = facts[column], facts[minus]
        return None if value is None or other is None else value - other

    if late_from is not None:
        return late
    return less if minus else lambda facts: facts[column]


def _integer(stream: Stream, name: str) -> Callable[[Facts], int | None]:
    measure = measure_of(stream, name.removeprefix(KNOWN_PREFIX))
    if not name.startswith(KNOWN_PREFIX):
        return _value(measure)
    column = measure.known_at or ""
    return lambda facts: facts[column]
