"""Changes to an item of rows: upsert and delete rows, or carry rows over from its predecessor."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from features.online.item_bytes import (
    Columns,
    ItemError,
    columns_of,
    encode,
    item_integers,
    track_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from features.online.item_layout import ItemLayout
    from features.online.row_mapping import RowChange


def upsert_rows(layout: ItemLayout, body: bytes | None, changes: Iterable[RowChange]) -> bytes:
    """Return an item of rows after upserts and deletes.

    Args:
        layout: Layout of the item.
        body: The item, None when there is none yet.
        changes: The changes, all of this item.

    Raises:
        ItemError: The item cannot be read.
    """
    by_track: dict[int, list[RowChange]] = defaultdict(list)
    for change in changes:
        by_track[change.track].append(change)
    words = None if body is None else item_integers(layout, body)
    tracks = []
    for number, track in enumerate(layout.tracks):
        if number not in by_track and words is not None:
            tracks.append(track_bytes(layout, words, number))
            continue
        columns = Columns(track) if words is None else columns_of(layout, words, number)
        for change in by_track.get(number, ()):
            columns.remove(change.row_id)
            if change.row is not None:
                columns.put(change.row)
        tracks.append(columns.to_bytes())
    return encode(layout, tracks)


def carry_over_rows(
    layout: ItemLayout, body: bytes, former: bytes, keep: Callable[[int], bool]
) -> bytes:
    """Return an item with the rows of its predecessor that it lacks.

    Args:
        layout: Layout of the item.
        body: The item.
        former: The item that it replaces; one of another layout counts as empty.
        keep: Whether a row is carried over, given its row id (for sums: its day).
    """
    try:
        words = item_integers(layout, former)
    except ItemError:
        return body
    tracks = []
    for number, track in enumerate(layout.tracks):
        rows = columns_of(layout, item_integers(layout, body), number).rows()
        present = {row[1] if track.identified else row[0]: row for row in rows}
        for row in columns_of(layout, words, number).rows():
            known = row[1] if track.identified else row[0]
            if known not in present and keep(known):
                rows.append(row)
        tracks.append(Columns(track, rows).to_bytes())
    return encode(layout, tracks)
