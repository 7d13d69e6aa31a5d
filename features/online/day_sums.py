"""Items of sums: the totals of an entity key by UTC day, derived from its items of rows."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from features.declare.declarations import MINUTES_PER_DAY
from features.declare.streams import COUNT
from features.online.item_bytes import Columns, Row, decode, encode, item_integers, minutes_at
from features.online.item_keys import sums_suffix
from features.online.item_layout import SUMS_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.online.item_layout import EntityLayout, ItemLayout, TrackLayout
    from features.online.row_mapping import RowChange


DayRows: TypeAlias = list[list[Row]]
"""By track of an item of sums: one row for each day that has events."""


def sums_key(change: RowChange, layout: EntityLayout) -> str:
    """Return the key of the item of sums that the changed item of rows contributes to."""
    block = change.bucket * layout.rows.span // (SUMS_DAYS * MINUTES_PER_DAY)
    return change.prefix + sums_suffix(block, SUMS_DAYS)


def update_sums(
    layout: EntityLayout, body: bytes | None, rows: Iterable[tuple[int, bytes]]
) -> bytes | None:
    """Return an item of sums with the days of some items of rows recomputed from those rows.

    Args:
        layout: Layout of the entity.
        body: The item, None when there is none yet.
        rows: Time bucket and body of each item of rows.

    Returns:
        The item; None if there was none and the rows have no events.

    Raises:
        ItemError: An item cannot be read.
    """
    for bucket, item in rows:
        days = day_rows(layout, item_integers(layout.rows, item))
        if layout.sums is None or (body is None and not any(days)):
            continue
        parts = [days]
        if body is not None:
            first = bucket * layout.rows.span // MINUTES_PER_DAY
            last = first + layout.rows.span // MINUTES_PER_DAY - 1
            parts.append(days_outside(layout.sums, body, first, last))
        body = sums_item(layout.sums, parts)
    return body


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
    """Return an item of sums from the totals by day of its items of rows."""
    tracks = [
        Columns(track, rows)
        for track, rows in zip(layout.tracks, map(_joined, zip(*parts, strict=True)), strict=True)
    ]
    return encode(layout, [track.to_bytes() for track in tracks])


def _joined(parts: Iterable[list[Row]]) -> list[Row]:
    return [row for part in parts for row in part]


def days_outside(layout: ItemLayout, body: bytes, first: int, last: int) -> DayRows:
    """Return the totals by day of an item of sums, except the days from first to last."""
    tracks = decode(layout, body)
    return [[row for row in rows if not first <= row[0] <= last] for rows in tracks]
