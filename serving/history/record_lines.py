"""Predictions as lines of text, while they wait in a spool or in a queue."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from serving.stores.history.protocol import PredictionRecord

_ROW: Final = msgspec.json.Decoder(tuple[int, str, str, bytes])


def encoded(record: PredictionRecord) -> bytes:
    """Return a record as a line of JSON, without the line's end."""
    row = (record.requested_at_ms, record.prediction_id, record.flight_id, record.body)
    return msgspec.json.encode(row)


def decoded(text: bytes | str) -> PredictionRecord:
    """Return the record of a line of JSON.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return PredictionRecord(*_ROW.decode(text))


def line_of(record: PredictionRecord) -> bytes:
    """Return a record as a line with its checksum."""
    row = encoded(record)
    return b"%08x %b\n" % (zlib.crc32(row), row)


def records_in(lines: bytes) -> tuple[list[PredictionRecord], int]:
    """Return the records of lines, and how many whole lines do not have their checksum.

    A last line without its end was being written when the process died: nobody was told that its
    record is kept.
    """
    records: list[PredictionRecord] = []
    damaged = 0
    for line in lines.split(b"\n")[:-1]:
        row = line[9:]
        if line[:9] == b"%08x " % zlib.crc32(row):
            records.append(decoded(row))
        else:
            damaged += 1
    return records, damaged
