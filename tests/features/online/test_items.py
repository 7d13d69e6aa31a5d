"""Items: rows in and out in any order, the same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog import FEATURES
from features.declare.declarations import (
    CARRIER,
    Days,
    Feature,
    Sum,
)
from features.declare.streams import SCHEDULE
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
    layouts,
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
def test_rows_put_one_by_one_are_the_bytes_of_all_at_once(rows: Any, data: st.DataObject) -> None:
    # Given rows, of which some are already there, and some that must not stay
    flags = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    kept = [row for row, flag in zip(rows, flags, strict=True) if flag]
    columns = Columns(TRACK, rows)
    # When all but the kept ones are taken out, and then put back in some order
    others = [row for row in rows if row not in kept]
    for row in others:
        columns.remove(row[1])
    assert columns.to_bytes() == Columns(TRACK, kept).to_bytes()
    for row in data.draw(st.permutations(others)):
        columns.put(row)
    # Then the bytes are those of all rows
    assert columns.to_bytes() == Columns(TRACK, rows).to_bytes()
    assert columns.rows() == sorted(rows)


@given(ROWS)
def test_what_is_encoded_is_decoded(rows: Any) -> None:
    # Given two tracks
    ends = [(minute, own, adds[:1], (), ()) for minute, own, adds, _, _ in rows]
    tracks = [Columns(LAYOUT.tracks[0], rows), Columns(LAYOUT.tracks[1], ends)]
    # When they are made an item
    body = encode(LAYOUT, [track.to_bytes() for track in tracks])
    # Then it can be read, whole and track by track
    assert decode(LAYOUT, body) == [sorted(rows), sorted(ends)]
    words = item_integers(LAYOUT, body)
    assert track_bytes(LAYOUT, words, 0) == tracks[0].to_bytes()
    assert track_bytes(LAYOUT, words, 1) == tracks[1].to_bytes()
    assert columns_of(LAYOUT, words, 1).rows() == sorted(ends)


@pytest.mark.parametrize("cut", [0, 3, 4, 8, 16])
def test_a_damaged_item_is_not_read(cut: int) -> None:
    # Given an item that was cut short / When it is read / Then it says what to do
    body = encode(LAYOUT, [Columns(track).to_bytes() for track in LAYOUT.tracks])
    with pytest.raises(ItemError, match="make run"):
        item_integers(LAYOUT, body[:cut])


def test_identities_sort_as_schedule_number_and_carrier() -> None:
    # Given flights in the order of ties / When they get identities / Then those are in order
    flights = [(30_000_000, 5, "ZZ"), (30_000_001, 1, "AA"), (30_000_001, 1, "AAL")]
    flights += [(30_000_001, 1, "B6"), (30_000_001, 2, "9E"), (30_000_002, 0, "AA")]
    assert [identity(*flight) for flight in flights] == sorted(identity(*f) for f in flights)


@pytest.mark.parametrize(
    "flight",
    [(0, 1, "AA"), (30_000_000, 131_072, "AA"), (30_000_000, 1, "AAAA"), (30_000_000, 1, "")],
)
def test_a_flight_without_an_identity_is_named(flight: tuple[int, int, str]) -> None:
    # Given a flight that does not fit / When / Then it is named
    with pytest.raises(ItemError, match=f"Flight {flight[2]} {flight[1]} cannot be stored online"):
        identity(*flight)


def test_a_stretch_is_as_long_as_the_longest_window() -> None:
    # Given the declared features / When their items are laid out
    spans = {layout.entity: layout.rows.span // 1440 for layout in layouts(FEATURES)}
    # Then half a day of delays needs days, the legs of an aircraft 4, and only sums 32
    assert spans[CARRIER] == 1
    assert spans["tail_number",] == 4
    assert spans["carrier", "destination"] == 32


def test_totals_by_day_of_an_instant_are_refused() -> None:
    # Given a feature that adds up instants over days / When / Then it is refused by name
    item = Sum(SCHEDULE.name, "arrival_at", CARRIER, Days(2))
    feature = Feature("x", "history", "min", "", "", (item,), lambda x: x)
    with pytest.raises(ValueError, match="arrival_at"):
        layouts((feature,))
