"""Prediction records as lines of JSON, in a spool or in a queue."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from serving.stores.history.protocol import PredictionRecord

_ROW: Final = msgspec.json.Decoder(tuple[int, str, str, bytes])


def encode_record(record: PredictionRecord) -> bytes:
    """Return a record as a line of JSON, without the end of line."""
    row = (record.requested_at_ms, record.prediction_id, record.flight_id, record.body)
    return msgspec.json.encode(row)


def decode_record(text: bytes | str) -> PredictionRecord:
    """Return the record of a line of JSON.

    Raises:
        msgspec.MsgspecError: The line is not a record.
    """
    return PredictionRecord(*_ROW.decode(text))


def to_line(record: PredictionRecord) -> bytes:
    """Return a record as a line with its checksum."""
    row = encode_record(record)
    return b"%08x %b\n" % (zlib.crc32(row), row)


def parse_lines(lines: bytes) -> tuple[list[PredictionRecord], int]:
    """Return the records of lines, and how many complete lines are damaged or no record.

    A last line without its end was being written when the process died; its record was never
    acknowledged and is skipped.
    """
    records: list[PredictionRecord] = []
    damaged = 0
    for line in lines.split(b"\n")[:-1]:
        row = line[9:]
        try:
            if line[:9] != b"%08x " % zlib.crc32(row):
                raise ValueError  # noqa: TRY301 - counted with those that are no record
            records.append(decode_record(row))
        except (msgspec.MsgspecError, ValueError):
            damaged += 1
    return records, damaged
