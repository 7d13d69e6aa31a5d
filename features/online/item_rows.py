"""Changing the rows of an item, and the sums that follow from it.

From what is known of a flight, or of the weather, to the rows of the items that hold it.

The same functions make every item: those that the pipeline fills from silver, and those that
events change one by one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from features.declare import columns as c
from features.declare.declarations import HORIZON_MIN, MINUTES_PER_DAY, ORIGIN
from features.declare.streams import (
    MAX_EVENT_LAG_MIN,
    OVERDUE_FOR_MIN,
    STREAMS,
    Measure,
    Stream,
    is_instant,
    measure_of,
)
from features.online.items import (
    KNOWN_PREFIX,
    NULL,
    SUMS_DAYS,
    Columns,
    EntityLayout,
    ItemError,
    Row,
    columns_of,
    encode,
    identity,
    key_of,
    layouts,
    rows_suffix,
    sums_suffix,
    track_bytes,
    view,
)
from features.online.sums import day_rows, days_outside, sums_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from features.declare.declarations import Feature
    from features.online.items import EntityLayout, ItemLayout, TrackLayout


Facts: TypeAlias = dict[str, Any]
"""The columns of a silver row: instants in minutes since the epoch, None where missing."""


class Placement(NamedTuple):
    """Where a row is, or must no longer be.

    Attributes:
        key: Key of the item.
        prefix: The entity key.
        stretch: Number of the stretch of time.
        entity: Number of the entity's layout.
        track: Number of the track.
        own: Identity of the row.
        row: The row; None when the item must hold none of this identity.
    """

    key: str
    prefix: str
    stretch: int
    entity: int
    track: int
    own: int
    row: Row | None


_Placed: TypeAlias = "tuple[int, Row | None] | None"


class Placer:
    """Places rows, for the items of the given features.

    Args:
        features: The declared features.
        horizon_min: Minutes from the prediction time to the scheduled departure.

    Attributes:
        layouts: The layouts of the items, by their numbers.
        horizon_min: As given.
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

    def flight(self, facts: Facts, streams: frozenset[str] | None = None) -> Iterator[Placement]:
        """Yield the placements of a flight whose schedule is known.

        Args:
            facts: The columns of silver flights, and `LOCAL_HOUR`.
            streams: Only these streams.
        """
        own = identity(facts[c.SCHEDULED_DEPARTURE], facts[c.FLIGHT_NUMBER], facts[c.CARRIER])
        return self._placed(self._flights, facts, own, streams)

    def weather(self, facts: Facts) -> Iterator[Placement]:
        """Yield the placements of an observation (columns of silver weather)."""
        parts = {**facts, c.ORIGIN: facts[c.AIRPORT]}
        return self._placed(self._weather, parts, facts[c.KNOWN], None)

    def _placed(
        self,
        entities: list[tuple[int, EntityLayout, list[tuple[int, _Rule]]]],
        facts: Facts,
        own: int,
        streams: frozenset[str] | None,
    ) -> Iterator[Placement]:
        placed: dict[_Rule, _Placed] = {}
        for number, layout, rules in entities:
            prefix = key_of(layout.entity, facts)
            if prefix is None:
                continue
            for track, rule in rules:
                if streams is not None and rule.stream not in streams:
                    continue
                if rule not in placed:
                    placed[rule] = rule.placed(facts, own)
                found = placed[rule]
                if found is not None:
                    key = prefix + rows_suffix(found[0], layout.rows.span)
                    yield Placement(key, prefix, found[0], number, track, own, found[1])


class _Rule:
    """How a row of one track follows from facts, for items of one span.

    As in `features.arrays.event_arrays.event_minutes`, what happens to a flight counts from the
    flight's own
    prediction time at the earliest.
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

    def placed(self, facts: Facts, own: int) -> _Placed:
        """Return the stretch of the row, and the row, None if it must not be; None: no event."""
        at = facts[self._at]
        if at is None:
            return None
        late = False
        if self._bounded:
            scheduled = facts[c.SCHEDULED_DEPARTURE]
            late, at = at - scheduled > MAX_EVENT_LAG_MIN, max(at, scheduled - self._horizon_min)
        stretch = at // self._span
        if late:
            return stretch, None
        minute = at
        if self._until:
            ends = [facts[name] for name in self._until if facts[name] is not None]
            closed = min([at + OVERDUE_FOR_MIN, *ends])
            if closed <= at:
                return stretch, None
            minute = closed if self._ends else at
        start = stretch * self._span
        adds = tuple(
            0 if (v := value(facts)) is None else v - start if instant else v
            for value, instant in self._totals
        )
        integers = tuple(NULL if (v := value(facts)) is None else v for value in self._integers)
        floats = tuple(math.nan if (v := facts[n]) is None else v for n in self._floats)
        return stretch, (minute, own, adds, integers, floats)


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


def with_rows(layout: ItemLayout, body: bytes | None, placements: Iterable[Placement]) -> bytes:
    """Return an item of rows with some of them put, replaced, or taken out.

    Args:
        layout: Layout of the item.
        body: The item, None when there is none.
        placements: The rows, all of this item.

    Raises:
        ItemError: The item cannot be read.
    """
    by_track: dict[int, list[Placement]] = defaultdict(list)
    for placement in placements:
        by_track[placement.track].append(placement)
    words = None if body is None else view(layout, body)
    tracks = []
    for number, track in enumerate(layout.tracks):
        if number not in by_track and words is not None:
            tracks.append(track_bytes(layout, words, number))
            continue
        columns = Columns(track) if words is None else columns_of(layout, words, number)
        for placement in by_track.get(number, ()):
            columns.remove(placement.own)
            if placement.row is not None:
                columns.put(placement.row)
        tracks.append(columns.to_bytes())
    return encode(layout, tracks)


def with_kept(layout: ItemLayout, body: bytes, former: bytes, keep: Callable[[int], bool]) -> bytes:
    """Return an item with rows of a former one that it does not have.

    Args:
        layout: Layout of the item.
        body: The item.
        former: The item that it replaces; one of another layout has no rows.
        keep: Whether the row of an identity (of sums: of a day) is kept.
    """
    try:
        words = view(layout, former)
    except ItemError:
        return body
    tracks = []
    for number, track in enumerate(layout.tracks):
        rows = columns_of(layout, view(layout, body), number).rows()
        own = {row[1] if track.identified else row[0]: row for row in rows}
        for row in columns_of(layout, words, number).rows():
            known = row[1] if track.identified else row[0]
            if known not in own and keep(known):
                rows.append(row)
        tracks.append(Columns(track, rows).to_bytes())
    return encode(layout, tracks)


def sums_key_of(placement: Placement, layout: EntityLayout) -> str:
    """Return the key of the sums that an item of rows counts in."""
    block = placement.stretch * layout.rows.span // (SUMS_DAYS * MINUTES_PER_DAY)
    return placement.prefix + sums_suffix(block, SUMS_DAYS)


def with_sums(
    layout: EntityLayout, body: bytes | None, rows: Iterable[tuple[int, bytes]]
) -> bytes | None:
    """Return an item of sums in which the days of some items of rows are those rows'.

    Args:
        layout: Layout of the entity.
        body: The item, None when there is none.
        rows: Stretch and body of each item of rows.

    Returns:
        The item; None when there was none, and there are no days for one.

    Raises:
        ItemError: An item cannot be read.
    """
    for stretch, item in rows:
        days = day_rows(layout, view(layout.rows, item))
        if layout.sums is None or (body is None and not any(days)):
            continue
        parts = [days]
        if body is not None:
            first = stretch * layout.rows.span // MINUTES_PER_DAY
            last = first + layout.rows.span // MINUTES_PER_DAY - 1
            parts.append(days_outside(layout.sums, body, first, last))
        body = sums_item(layout.sums, parts)
    return body
