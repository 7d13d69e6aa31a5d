"""How the items of the online store are laid out in bytes, so that reading one costs nothing.

An item is an array of 32-bit integers (native order: little-endian on x86-64 and arm64). It begins
with a fingerprint of its layout and its own length, then, for each track, the track's length `n`
and where it starts. A track is
columns: identities (64 bits), floats (64 bits), then minutes, running totals (`n + 1` of each: the
total before each row, and the whole), and integer values. A window's total is two searches and one
subtraction on the bytes as they came from the store.

The keys of the online store: which entity, and which stretch of time.

What the items of each entity hold, and for how long a time: derived from the declarations.

An entity has up to two kinds of items. *Rows*: the events of one key in one stretch of time, each
with its identity, in the order of time. *Sums*: the totals of one key by UTC day, for windows of
whole days. Both are made of tracks: one for each stream, and one more for the ends of intervals.
"""

from __future__ import annotations

import binascii
import datetime as dt
from array import array
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from features.declare.declarations import (
    MINUTES_PER_DAY,
    Days,
    Entity,
    Latest,
    Minutes,
    Own,
    Standing,
    Sum,
)
from features.declare.streams import COUNT, OVERDUE_FOR_MIN, STREAMS, Stream, is_instant, measure_of
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from features.declare.declarations import Entity, Feature, Input


_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def key_of(entity: Entity, parts: Mapping[str, Any]) -> str | None:
    """Return an entity key, such as `origin=JFK|carrier=B6`; None where a part is missing."""
    if len(entity) == 1:  # most are: no list for them
        value = parts[entity[0]]
        return None if value is None else f"{entity[0]}={value}"
    found = []
    for part in entity:
        value = parts[part]
        if value is None:
            return None
        found.append(f"{part}={value}")
    return "|".join(found) or "all"


@lru_cache(maxsize=4096)
def rows_suffix(stretch: int, span: int) -> str:
    """Return what comes after an entity key in the key of its rows: `@2013-12-30`.

    Args:
        stretch: Number of the stretch of time.
        span: Minutes of a stretch.
    """
    return f"@{_day(stretch * span // MINUTES_PER_DAY)}"


@lru_cache(maxsize=4096)
def sums_suffix(stretch: int, span: int) -> str:
    """Return what comes after an entity key in the key of its sums: `#2013-12-05`.

    Args:
        stretch: Number of the stretch of time.
        span: Days of a stretch.
    """
    return f"#{_day(stretch * span)}"


@lru_cache(maxsize=4096)
def utc_hour(minute: int) -> str:
    """Return the UTC hour of a minute since the epoch, as flight ids have it: `2013123023`."""
    return f"{dt.datetime.fromtimestamp(minute * 60, tz=dt.UTC):%Y%m%d%H}"


def _day(number: int) -> str:
    return dt.date.fromordinal(number + _EPOCH).isoformat()


SUMS_DAYS: Final = 32
"""Days of one item of sums."""

KNOWN_PREFIX: Final = "known:"
"""Before a measure's name: the minute from which the measure is known."""

_SPANS: Final = tuple(MINUTES_PER_DAY * days for days in (1, 2, 4, 8, 16, SUMS_DAYS))


@dataclass(frozen=True, slots=True)
class TrackLayout:
    """The columns of one track; see `features.items` for how they are stored.

    Attributes:
        stream: Name of the stream.
        ends: True for the ends of the stream's intervals, False for its events.
        totals: Measures with running totals, by name; `count` needs none.
        integers: Integer values of each event: measures by name, `known:` before it for the minute
            from which the measure is known.
        floats: Values of each event that are no integers.
        identified: Whether each row has its identity; days of sums need none.
    """

    stream: str
    ends: bool = False
    totals: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    identified: bool = True


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """The tracks of an item, and the stretch of time it is about.

    Attributes:
        span: Minutes of the stretch; stretches begin at multiples of it since the epoch.
        tracks: The tracks, in order.
        fingerprint: Changes with what an item holds: one written otherwise is not read.
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
        sums: Layout of its sums; None when no window of whole days asks for them.
        rows_read: Whether a feature reads its rows; else they are only what the sums are made of.
        summed: Numbers of the tracks of rows that the sums are made of.
    """

    entity: Entity
    rows: ItemLayout
    sums: ItemLayout | None
    rows_read: bool
    summed: frozenset[int]


@dataclass
class _Needs:
    """What the features of one entity read of one stream."""

    totals: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)


def reach_min(item: Input) -> int:
    """Return how many minutes back from its anchor an input reads rows; 0 for none."""
    match item:
        case Latest():
            return item.within_min + item.ago_min
        case Standing():
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
        elif isinstance(item, Sum | Standing):
            needs[item.stream].totals.add(item.measure)
    read = any(need.totals or need.values for need in needs.values())
    reach = max(map(reach_min, inputs)) if read else SUMS_DAYS * MINUTES_PER_DAY
    span = next((span for span in _SPANS if span >= reach), _SPANS[-1])
    for name, need in needs.items():
        if instants := [m for m in need.days - {COUNT} if is_instant(measure_of(STREAMS[name], m))]:
            raise ValueError(f"Totals by day of an instant mean nothing: {name}, {instants}.")
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


NULL: Final = -(2**31)
"""Marks a missing integer value."""

Row: TypeAlias = "tuple[int, int, tuple[int, ...], tuple[int, ...], tuple[float, ...]]"
"""Minute, identity, what it adds to each total, its integer values, its floats."""

_CARRIER_LETTERS: Final = 3
_NUMBER_BITS: Final = 17
_CARRIER_BITS: Final = 7 * _CARRIER_LETTERS
_MINUTE_BITS: Final = 64 - _NUMBER_BITS - _CARRIER_BITS
_FIRST_MINUTE: Final = (dt.date(1990, 1, 1) - dt.date(1970, 1, 1)).days * MINUTES_PER_DAY


class ItemError(OntimeError):
    """An item cannot be read, or something cannot be kept in one."""


def identity(scheduled_at: int, number: int, carrier: str) -> int:
    """Return a flight's identity as 64 bits that sort as (scheduled departure, number, carrier).

    Raises:
        ItemError: The carrier has not 1 to 3 ASCII characters, or a number is out of its range.
    """
    minute = scheduled_at - _FIRST_MINUTE
    fits = 0 <= minute < 1 << _MINUTE_BITS and 0 <= number < 1 << _NUMBER_BITS
    if not (fits and carrier.isascii() and 1 <= len(carrier) <= _CARRIER_LETTERS):
        raise ItemError(
            f"Flight {carrier} {number} cannot be kept online: a carrier has 1 to 3 ASCII "
            "characters, a number is below 131072, and years are 1990 to 2117. Correct the source."
        )
    return minute << (_NUMBER_BITS + _CARRIER_BITS) | number << _CARRIER_BITS | _code(carrier)


def due_minute(own: int) -> int:
    """Return the minute in an identity: a flight's scheduled departure, or the one it is itself."""
    minute = own >> (_NUMBER_BITS + _CARRIER_BITS)
    return minute + _FIRST_MINUTE if minute else own


@lru_cache(maxsize=1024)
def _code(carrier: str) -> int:
    code = 0
    for letter in carrier.ljust(_CARRIER_LETTERS, "\0"):
        code = code << 7 | ord(letter)
    return code


class Columns:
    """One track, taken apart to be changed.

    Args:
        layout: What it holds.
        rows: Its rows, in any order.
    """

    __slots__ = ("floats", "identities", "integers", "layout", "minutes", "totals")

    def __init__(self, layout: TrackLayout, rows: Iterable[Row] = ()) -> None:
        ordered = sorted(rows)
        self.layout = layout
        self.minutes = array("i", [row[0] for row in ordered])
        self.identities = array("Q", [row[1] for row in ordered] if layout.identified else ())
        self.totals = [
            array("i", accumulate((row[2][i] for row in ordered), initial=0))
            for i in range(len(layout.totals))
        ]
        self.integers = [
            array("i", [row[3][i] for row in ordered]) for i in range(len(layout.integers))
        ]
        self.floats = [
            array("d", [row[4][i] for row in ordered]) for i in range(len(layout.floats))
        ]

    def put(self, row: Row) -> None:
        """Insert a row in its place."""
        minute, own, adds, integers, floats = row
        minutes, identities = self.minutes, self.identities
        at = bisect_left(minutes, minute)
        while at < len(minutes) and minutes[at] == minute and identities[at] < own:
            at += 1
        minutes.insert(at, minute)
        identities.insert(at, own)
        for totals, add in zip(self.totals, adds, strict=True):
            totals.insert(at + 1, totals[at])
            _add(totals, at + 1, add)
        for values, value in zip(self.integers, integers, strict=True):
            values.insert(at, value)
        for measured, measurement in zip(self.floats, floats, strict=True):
            measured.insert(at, measurement)

    def remove(self, own: int) -> None:
        """Take out the row of an identity, if it is there."""
        try:
            at = self.identities.index(own)
        except ValueError:
            return
        del self.minutes[at], self.identities[at]
        for totals in self.totals:
            added = totals[at + 1] - totals[at]
            del totals[at + 1]
            _add(totals, at + 1, -added)
        for values in self.integers:
            del values[at]
        for measured in self.floats:
            del measured[at]

    def rows(self) -> list[Row]:
        """Return the rows, in order."""
        return [
            (
                minute,
                self.identities[at] if self.layout.identified else 0,
                tuple(totals[at + 1] - totals[at] for totals in self.totals),
                tuple(values[at] for values in self.integers),
                tuple(measured[at] for measured in self.floats),
            )
            for at, minute in enumerate(self.minutes)
        ]

    def to_bytes(self) -> bytes:
        """Return the columns as stored, padded to 64 bits."""
        columns: list[array[int] | array[float]] = [
            self.identities, *self.floats, self.minutes, *self.totals, *self.integers,
        ]  # fmt: skip
        body = b"".join([column.tobytes() for column in columns])
        return body if len(body) % 8 == 0 else body + b"\0\0\0\0"


def _add(totals: array[int], since: int, add: int) -> None:
    if add and since < len(totals):
        totals[since:] = array("i", [total + add for total in totals[since:]])


def encode(layout: ItemLayout, tracks: Sequence[bytes]) -> bytes:
    """Return an item of its tracks as stored: `Columns.to_bytes`, or those of another item."""
    start, header = 2 + 2 * len(tracks), [layout.fingerprint, 0]
    for track, body in zip(layout.tracks, tracks, strict=True):
        header += (_length(track, len(body) // 4), start)
        start += len(body) // 4
    header[1] = start
    return b"".join([array("i", header).tobytes(), *tracks])


def _length(track: TrackLayout, words: int) -> int:
    """Return how many rows a track of so many words has."""
    totals = len(track.totals)
    each = 2 * track.identified + 2 * len(track.floats) + 1 + totals + len(track.integers)
    return (words - totals) // each


class Opened(bytes):
    """The bytes of an item that is read again and again: its integers are at hand.

    Attributes:
        words: Its 32-bit integers; its bytes where it is no whole number of them.
    """

    words: memoryview

    def __init__(self, body: bytes) -> None:
        self.words = memoryview(body)
        if not len(body) % 4:
            self.words = self.words.cast("i")


def view(layout: ItemLayout, body: bytes) -> memoryview:
    """Return an item's 32-bit integers.

    Raises:
        ItemError: It is not an item of this layout.
    """
    try:
        words = body.words if body.__class__ is Opened else memoryview(body).cast("i")
        if words[0] == layout.fingerprint and words[1] == len(words):
            return words
    except (IndexError, TypeError):  # too short, or no whole number of integers
        pass
    raise ItemError(
        "An item of the online store was written by other code, or is damaged: run `make run` "
        "(stage publish), which writes all of them anew."
    )


def minutes_at(track: TrackLayout, start: int, count: int) -> int:
    """Return where a track's minutes begin; its totals and integers come after them."""
    return start + 2 * count * (track.identified + len(track.floats))


def columns_of(layout: ItemLayout, words: memoryview, number: int) -> Columns:
    """Return one track of an item, taken apart."""
    track, count, at = layout.tracks[number], words[2 + 2 * number], words[3 + 2 * number]
    columns = Columns(track)

    def take(column: array[int] | array[float], size: int) -> None:
        nonlocal at
        column.frombytes(words[at : at + size].tobytes())
        at += size

    if track.identified:
        take(columns.identities, 2 * count)
    for measured in columns.floats:
        take(measured, 2 * count)
    take(columns.minutes, count)
    for totals in columns.totals:
        del totals[:]
        take(totals, count + 1)
    for values in columns.integers:
        take(values, count)
    return columns


def decode(layout: ItemLayout, body: bytes) -> list[list[Row]]:
    """Return the rows of each track of an item.

    Raises:
        ItemError: It is not an item of this layout.
    """
    words = view(layout, body)
    return [columns_of(layout, words, number).rows() for number in range(len(layout.tracks))]


def track_bytes(layout: ItemLayout, words: memoryview, number: int) -> bytes:
    """Return one track of an item as stored."""
    last = number + 1 == len(layout.tracks)
    end = len(words) if last else words[5 + 2 * number]
    return words[words[3 + 2 * number] : end].tobytes()
