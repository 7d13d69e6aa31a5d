"""The bytes of items: the same for the same rows, whatever the order of the changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.online.item_bytes import (
    NULL,
    Columns,
    ItemError,
    columns_of,
    decode,
    encode,
    identity,
    item_integers,
    track_bytes,
)
from features.online.item_layout import (
    ItemLayout,
    TrackLayout,
)

TRACK = TrackLayout("x", totals=("a", "b"), integers=("c",), floats=("d", "e"))
LAYOUT = ItemLayout(1440, (TRACK, TrackLayout("x", ends=True, totals=("a",))), fingerprint=77)
NUMBERS = st.integers(-(10**5), 10**5)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.integers(0, 2**64 - 1),
        st.tuples(NUMBERS, NUMBERS),
        st.tuples(NUMBERS | st.just(NULL)),
        st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    ),
    max_size=12,
    unique_by=lambda row: row[1],
)


@given(ROWS, st.data())
def test_rows_upserted_one_by_one_give_the_bytes_of_all_rows(
    rows: Any, data: st.DataObject
) -> None:
    # Given a track of rows, and a subset of them
    flags = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    selected = [row for row, flag in zip(rows, flags, strict=True) if flag]
    columns = Columns(TRACK, rows)
    # When the other rows are removed, and then added again in some order
    others = [row for row in rows if row not in selected]
    for row in others:
        columns.remove(row[1])
    assert columns.to_bytes() == Columns(TRACK, selected).to_bytes()
    for row in data.draw(st.permutations(others)):
        columns.put(row)
    # Then the bytes are those of all rows
    assert columns.to_bytes() == Columns(TRACK, rows).to_bytes()
    assert columns.rows() == sorted(rows)


@given(ROWS)
def test_encoded_items_are_decoded(rows: Any) -> None:
    # Given two tracks
    ends = [(minute, own, adds[:1], (), ()) for minute, own, adds, _, _ in rows]
    tracks = [Columns(LAYOUT.tracks[0], rows), Columns(LAYOUT.tracks[1], ends)]
    # When they are encoded as an item
    body = encode(LAYOUT, [track.to_bytes() for track in tracks])
    # Then it can be read, whole and track by track
    assert decode(LAYOUT, body) == [sorted(rows), sorted(ends)]
    words = item_integers(LAYOUT, body)
    assert track_bytes(LAYOUT, words, 0) == tracks[0].to_bytes()
    assert track_bytes(LAYOUT, words, 1) == tracks[1].to_bytes()
    assert columns_of(LAYOUT, words, 1).rows() == sorted(ends)


@pytest.mark.parametrize("cut", [0, 3, 4, 8, 16])
def test_a_damaged_item_is_not_read(cut: int) -> None:
    # Given a truncated item / When it is read / Then the error names the way out
    body = encode(LAYOUT, [Columns(track).to_bytes() for track in LAYOUT.tracks])
    with pytest.raises(ItemError, match="make run"):
        item_integers(LAYOUT, body[:cut])


def test_row_ids_sort_as_schedule_number_and_carrier() -> None:
    # Given flights in sort order / When they get row ids / Then those are in the same order
    flights = [(30_000_000, 5, "ZZ"), (30_000_001, 1, "AA"), (30_000_001, 1, "AAL")]
    flights += [(30_000_001, 1, "B6"), (30_000_001, 2, "9E"), (30_000_002, 0, "AA")]
    assert [identity(*flight) for flight in flights] == sorted(identity(*f) for f in flights)


@pytest.mark.parametrize(
    "flight",
    [(0, 1, "AA"), (30_000_000, 131_072, "AA"), (30_000_000, 1, "AAAA"), (30_000_000, 1, "")],
)
def test_a_flight_that_has_no_row_id_is_named(flight: tuple[int, int, str]) -> None:
    # Given a flight that does not fit / When / Then it is named
    with pytest.raises(ItemError, match=f"Flight {flight[2]} {flight[1]} cannot be stored online"):
        identity(*flight)
