"""The byte layout of online items: a look-up reads an item without decoding it.

An item is an array of 32-bit integers in native byte order (little-endian on x86-64 and arm64). It
starts with the fingerprint of its layout and its row_id length, then, for each track, the number of
rows `n` and the offset at which the track starts. A track is stored column by column: row ids (64
bits), floats (64 bits), then minutes, running totals (`n + 1` of each: the total before each row,
and the overall total) and integer values. The total of a window is two binary searches and one
subtraction in the bytes as they came from the store.
"""

from __future__ import annotations

import datetime as dt
from array import array
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from features.declare.declarations import MINUTES_PER_DAY
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.online.item_layout import ItemLayout, TrackLayout


NULL: Final = -(2**31)
"""Marks a missing integer value."""

Row: TypeAlias = "tuple[int, int, tuple[int, ...], tuple[int, ...], tuple[float, ...]]"
"""Minute, row id, increments of the totals, integer values, floats."""

_CARRIER_LETTERS: Final = 3
_NUMBER_BITS: Final = 17
_CARRIER_BITS: Final = 7 * _CARRIER_LETTERS
_MINUTE_BITS: Final = 64 - _NUMBER_BITS - _CARRIER_BITS
_FIRST_MINUTE: Final = (dt.date(1990, 1, 1) - dt.date(1970, 1, 1)).days * MINUTES_PER_DAY


class ItemError(OntimeError):
    """An item cannot be read, or a flight cannot be stored in one."""


def identity(scheduled_at: int, number: int, carrier: str) -> int:
    """Return a flight's row id: 64 bits that sort as (scheduled departure, number, carrier).

    Raises:
        ItemError: The carrier does not have 1 to 3 ASCII characters, or a number is out of range.
    """
    minute = scheduled_at - _FIRST_MINUTE
    fits = 0 <= minute < 1 << _MINUTE_BITS and 0 <= number < 1 << _NUMBER_BITS
    if not (fits and carrier.isascii() and 1 <= len(carrier) <= _CARRIER_LETTERS):
        raise ItemError(
            f"Flight {carrier} {number} cannot be stored online: a carrier has 1 to 3 ASCII "
            "characters, a number is below 131072, and years are 1990 to 2117. Correct the source."
        )
    return minute << (_NUMBER_BITS + _CARRIER_BITS) | number << _CARRIER_BITS | _code(carrier)


def due_minute(row_id: int) -> int:
    """Return the minute in a row id: a flight's scheduled departure, or an observation's minute."""
    minute = row_id >> (_NUMBER_BITS + _CARRIER_BITS)
    return minute + _FIRST_MINUTE if minute else row_id


@lru_cache(maxsize=1024)
def _code(carrier: str) -> int:
    code = 0
    for letter in carrier.ljust(_CARRIER_LETTERS, "\0"):
        code = code << 7 | ord(letter)
    return code


class Columns:
    """The mutable columns of one track.

    Args:
        layout: The columns of the track.
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
        """Insert a row at its sorted position."""
        minute, row_id, increments, integers, floats = row
        minutes, identities = self.minutes, self.identities
        at = bisect_left(minutes, minute)
        while at < len(minutes) and minutes[at] == minute and identities[at] < row_id:
            at += 1
        minutes.insert(at, minute)
        identities.insert(at, row_id)
        for totals, add in zip(self.totals, increments, strict=True):
            totals.insert(at + 1, totals[at])
            _add(totals, at + 1, add)
        for values, value in zip(self.integers, integers, strict=True):
            values.insert(at, value)
        for measured, measurement in zip(self.floats, floats, strict=True):
            measured.insert(at, measurement)

    def remove(self, row_id: int) -> None:
        """Delete the row with a row id, if there is one."""
        try:
            at = self.identities.index(row_id)
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
    """Return an item from its encoded tracks (`Columns.to_bytes`, or `track_bytes`)."""
    start, header = 2 + 2 * len(tracks), [layout.fingerprint, 0]
    for track, body in zip(layout.tracks, tracks, strict=True):
        header += (_length(track, len(body) // 4), start)
        start += len(body) // 4
    header[1] = start
    return b"".join([array("i", header).tobytes(), *tracks])


def _length(track: TrackLayout, words: int) -> int:
    """Return the number of rows of a track from its number of 32-bit words."""
    totals = len(track.totals)
    each = 2 * track.identified + 2 * len(track.floats) + 1 + totals + len(track.integers)
    return (words - totals) // each


class CachedItem(bytes):
    """The bytes of a cached item, with a view of its integers that is created only once.

    Attributes:
        words: Its 32-bit integers; its bytes if their number is not a multiple of 4.
    """

    words: memoryview

    def __init__(self, body: bytes) -> None:
        self.words = memoryview(body)
        if not len(body) % 4:
            self.words = self.words.cast("i")


def item_integers(layout: ItemLayout, body: bytes) -> memoryview:
    """Return an item's 32-bit integers after a check of its layout and length.

    Raises:
        ItemError: The bytes are not an item of this layout.
    """
    try:
        words = body.words if body.__class__ is CachedItem else memoryview(body).cast("i")
        if words[0] == layout.fingerprint and words[1] == len(words):
            return words
    except (IndexError, TypeError):  # too short, or not a multiple of 4 bytes
        pass
    raise ItemError(
        "An item of the online store was written by another version of the code, or is damaged: "
        "run `make run` (stage publish), which writes all items again."
    )


def minutes_at(track: TrackLayout, start: int, count: int) -> int:
    """Return the offset of a track's minutes; its totals and integers follow them."""
    return start + 2 * count * (track.identified + len(track.floats))


def columns_of(layout: ItemLayout, words: memoryview, number: int) -> Columns:
    """Return the columns of one track of an item."""
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
        ItemError: The bytes are not an item of this layout.
    """
    words = item_integers(layout, body)
    return [columns_of(layout, words, number).rows() for number in range(len(layout.tracks))]


def track_bytes(layout: ItemLayout, words: memoryview, number: int) -> bytes:
    """Return the encoded bytes of one track of an item."""
    last = number + 1 == len(layout.tracks)
    end = len(words) if last else words[5 + 2 * number]
    return words[words[3 + 2 * number] : end].tobytes()
