"""The sums of an entity key: its totals by UTC day, which follow from its rows."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from features.declare.declarations import MINUTES_PER_DAY
from features.declare.streams import COUNT
from features.online.items import Columns, Row, decode, encode, minutes_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.online.items import EntityLayout, ItemLayout, TrackLayout

DayRows: TypeAlias = list[list[Row]]
"""For each track of an item of sums, a row for each day that has events."""


def day_rows(layout: EntityLayout, rows: memoryview) -> DayRows:
    """Return the totals by day of one item of rows."""
    if layout.sums is None:
        return []
    numbers = {
        track.stream: number for number, track in enumerate(layout.rows.tracks) if not track.ends
    }
    return [
        _day_rows(layout.rows, numbers[track.stream], track, rows) for track in layout.sums.tracks
    ]


def _day_rows(layout: ItemLayout, number: int, wanted: TrackLayout, words: memoryview) -> list[Row]:
    track, count = layout.tracks[number], words[2 + 2 * number]
    minutes = minutes_at(track, words[3 + 2 * number], count)
    columns = [
        minutes + count + track.totals.index(name) * (count + 1)
        for name in wanted.totals
        if name != COUNT
    ]
    found: list[Row] = []
    low = 0
    while low < count:
        day = words[minutes + low] // MINUTES_PER_DAY
        end = (day + 1) * MINUTES_PER_DAY
        high = bisect_left(words, end, minutes + low, minutes + count) - minutes
        totals = (words[at + high] - words[at + low] for at in columns)
        found.append((day, 0, (high - low, *totals), (), ()))
        low = high
    return found


def sums_item(layout: ItemLayout, parts: Iterable[DayRows]) -> bytes:
    """Return an item of sums from the totals by day of its rows."""
    tracks = [
        Columns(track, rows)
        for track, rows in zip(layout.tracks, map(_joined, zip(*parts, strict=True)), strict=True)
    ]
    return encode(layout, [track.to_bytes() for track in tracks])


def _joined(parts: Iterable[list[Row]]) -> list[Row]:
    return [row for part in parts for row in part]


def days_outside(layout: ItemLayout, body: bytes, first: int, last: int) -> DayRows:
    """Return the totals by day that an item of sums holds, without the days from first to last."""
    tracks = decode(layout, body)
    return [[row for row in rows if not first <= row[0] <= last] for rows in tracks]
