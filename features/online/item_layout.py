"""The layout of online items: the columns of each entity's items, and their time buckets.

Both follow from the feature declarations. An entity has up to two kinds of items. *Rows*: the
events of one entity key in one time bucket, ordered by time, each with a row id. *Sums*: the totals
of one entity key by UTC day, for windows of whole days. Both consist of tracks: one for each
stream, and one more for the ends of a stream's intervals.
"""

from __future__ import annotations

import binascii
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from features.declare.declarations import (
    MINUTES_PER_DAY,
    Days,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
)
from features.declare.streams import COUNT, OVERDUE_FOR_MIN, STREAMS, Stream, is_instant, measure_of

if TYPE_CHECKING:
    from features.declare.declarations import (
        Entity,
        Feature,
        Input,
    )


SUMS_DAYS: Final = 32
"""Days of one item of sums."""

KNOWN_PREFIX: Final = "known:"
"""Prefix of the column that holds the minute from which a measure is known."""

_SPANS: Final = tuple(MINUTES_PER_DAY * days for days in (1, 2, 4, 8, 16, SUMS_DAYS))


@dataclass(frozen=True, slots=True)
class TrackLayout:
    """The columns of one track; `features.online.item_bytes` stores them.

    The fingerprint of an item hashes the `repr` of its tracks: renaming this class or a field of it
    makes every stored item unreadable.

    Attributes:
        stream: Name of the stream.
        ends: True for the ends of the stream's intervals, False for its events.
        totals: Measures with running totals, by name; `count` needs none.
        integers: Integer values of each event, by measure; a name with the prefix `known:` is the
            minute from which that measure is known.
        floats: Values of each event that are not integers.
        identified: Whether each row has a row id; the days of sums need none.
    """

    stream: str
    ends: bool = False
    totals: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    identified: bool = True


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """The tracks of an item, and the time bucket that it covers.

    Attributes:
        span: Minutes of a time bucket; buckets begin at multiples of it since the epoch.
        tracks: The tracks, in order.
        fingerprint: Checksum of span and tracks; an item with another fingerprint is not read.
    """

    span: int
    tracks: tuple[TrackLayout, ...]
    fingerprint: int


@dataclass(frozen=True, slots=True)
class EntityLayout:
    """The items of one entity.

    Attributes:
        entity: The entity.
        rows: Layout of its rows.
        sums: Layout of its sums; None when no feature has a window of whole days.
        rows_read: Whether a feature reads the rows; otherwise they only serve to compute the sums.
        summed: Numbers of the tracks of rows from which the sums are computed.
    """

    entity: Entity
    rows: ItemLayout
    sums: ItemLayout | None
    rows_read: bool
    summed: frozenset[int]


@dataclass
class _Needs:
    """The measures of one stream that the features of one entity read."""

    totals: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)


def reach_min(item: Input) -> int:
    """Return how many minutes before its anchor an input reads rows; 0 if it reads none."""
    match item:
        case Latest():
            return item.within_min + item.ago_min
        case OpenIntervals():
            return OVERDUE_FOR_MIN
        case Sum(window=Minutes() as window):
            return window.before
        case _:
            return 0


@lru_cache(maxsize=16)
def layouts(features: tuple[Feature, ...]) -> tuple[EntityLayout, ...]:
    """Return the layouts of all entities that the features read."""
    inputs = {item: None for feature in features for item in feature.inputs}
    by_entity: dict[Entity, list[Input]] = defaultdict(list)
    for item in inputs:
        if not isinstance(item, Own):
            by_entity[item.entity].append(item)
    return tuple(_layout(entity, items) for entity, items in by_entity.items())


def _layout(entity: Entity, inputs: list[Input]) -> EntityLayout:
    needs: dict[str, _Needs] = defaultdict(_Needs)
    for item in inputs:
        if isinstance(item, Latest):
            needs[item.stream].values.add(item.measure)
        elif isinstance(item, Sum) and isinstance(item.window, Days):
            needs[item.stream].days.add(item.measure)
        elif isinstance(item, Sum | OpenIntervals):
            needs[item.stream].totals.add(item.measure)
    read = any(need.totals or need.values for need in needs.values())
    reach = max(map(reach_min, inputs)) if read else SUMS_DAYS * MINUTES_PER_DAY
    span = next((span for span in _SPANS if span >= reach), _SPANS[-1])
    for name, need in needs.items():
        if instants := [m for m in need.days - {COUNT} if is_instant(measure_of(STREAMS[name], m))]:
            raise ValueError(
                f"Totals by day of an instant have no meaning ({name}: {', '.join(instants)}): "
                "declare the sum over a window of minutes."
            )
    tracks = [track for name in sorted(needs) for track in _tracks(STREAMS[name], needs[name])]
    days = {name: need.days for name, need in sorted(needs.items()) if need.days}
    sums = [
        TrackLayout(name, totals=(COUNT, *sorted(d - {COUNT})), identified=False)
        for name, d in days.items()
    ]
    return EntityLayout(
        entity,
        _item_layout(span, tracks),
        _item_layout(SUMS_DAYS * MINUTES_PER_DAY, sums) if sums else None,
        rows_read=read,
        summed=frozenset(n for n, t in enumerate(tracks) if t.stream in days and not t.ends),
    )


def _tracks(stream: Stream, need: _Needs) -> list[TrackLayout]:
    totals = tuple(sorted((need.totals | need.days) - {COUNT}))
    measures = [measure_of(stream, name) for name in sorted(need.values)]
    floats = tuple(m.name for m in measures if stream.table == "weather")
    integers = tuple(m.name for m in measures if stream.table != "weather")
    known = tuple(f"{KNOWN_PREFIX}{m.name}" for m in measures if m.known_at is not None)
    own = TrackLayout(stream.name, totals=totals, integers=(*integers, *known), floats=floats)
    ends = TrackLayout(stream.name, ends=True, totals=totals)
    return [own, ends] if stream.until else [own]


def _item_layout(span: int, tracks: list[TrackLayout]) -> ItemLayout:
    return ItemLayout(span, tuple(tracks), _fingerprint(span, tracks))


def _fingerprint(span: int, tracks: list[TrackLayout]) -> int:
    text = repr((1, span, tracks)).encode()
    return binascii.crc32(text) & 0x7FFFFFFF
