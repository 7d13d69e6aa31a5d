"""The state of one entity key, as the online store keeps it."""

from __future__ import annotations

from typing import Final

import msgspec


class Track(msgspec.Struct, frozen=True, array_like=True):
    """The recent events of one stream under one key, in time order.

    Attributes:
        minutes: Minute of each event (int64).
        totals: By measure, the total of the events before each position (int64, one longer).
        values: By measure, the value of each event (float64, NaN where it has none).
        known: By measure that is known later than its event, the minute it is (float64).
    """

    minutes: memoryview
    totals: dict[str, memoryview]
    values: dict[str, memoryview]
    known: dict[str, memoryview]


class Item(msgspec.Struct, frozen=True, array_like=True):
    """The state of one entity key.

    Attributes:
        tracks: Recent events, by stream.
        closings: Ends of intervals, by stream of intervals.
        days: By stream and measure, the totals of whole UTC days, by day since the epoch.
    """

    tracks: dict[str, Track]
    closings: dict[str, Track]
    days: dict[str, dict[str, dict[int, int]]]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Item)


def encode(item: Item) -> bytes:
    """Return an item as the bytes that are stored."""
    return _ENCODER.encode(item)


def decode(body: bytes) -> Item:
    """Return an item from its stored bytes; its arrays are views of them."""
    return _DECODER.decode(body)
