"""Lines of records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.history.record_lines import decode_record, encode_record, parse_lines, to_line
from serving.stores.history.protocol import PredictionRecord

RECORDS = st.lists(
    st.builds(PredictionRecord, st.integers(0, 2**62), st.text(), st.text(), st.binary()),
    max_size=5,
)


@given(records=RECORDS)
def test_records_are_read_back(records: list[PredictionRecord]) -> None:
    assert parse_lines(b"".join(map(to_line, records))) == (records, 0)
    assert [decode_record(encode_record(record)) for record in records] == records


@given(records=RECORDS, cut=st.integers(0, 10_000))
def test_a_truncated_last_line_loses_no_other_record(
    records: list[PredictionRecord], cut: int
) -> None:
    # Given lines that were cut off anywhere, Then the whole ones are read, and none is invented
    lines = [to_line(record) for record in records]
    truncated = b"".join(lines)[:cut]
    whole = sum(len(b"".join(lines[: n + 1])) <= cut for n in range(len(lines)))
    assert parse_lines(truncated) == (records[:whole], 0)


@given(records=RECORDS.filter(bool), at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(records: list[PredictionRecord], at: int, bit: int) -> None:
    # Given lines of which one has a wrong bit
    lines = bytearray(b"".join(map(to_line, records)))
    place = at % len(lines)
    lines[place] ^= 1 << bit
    # Then nothing but true records is read
    found, _ = parse_lines(bytes(lines))
    assert all(record in records for record in found)
    assert len(found) >= len(records) - 2
