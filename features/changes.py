"""Changing the rows of an item, and the sums that follow from it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from features.declarations import MINUTES_PER_DAY
from features.items import Columns, ItemError, columns_of, encode, track_bytes, view
from features.keys import sums_suffix
from features.layout import SUMS_DAYS
from features.sums import day_rows, days_outside, sums_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from features.layout import EntityLayout, ItemLayout
    from features.placing import Placement


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
