"""Instants: milliseconds and minutes since the epoch, and how they are written.

Clock and id generator are passed in where they are needed, so that tests fix both.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import time
from typing import Final

MS_PER_MINUTE: Final = 60_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MINUTE: Final = dt.timedelta(minutes=1)


def now_ms() -> int:
    """Return the time now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def new_prediction_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): unique, and sorted by the time it was made."""
    value = now_ms() << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def minutes(instant: dt.datetime) -> int:
    """Return an aware instant as whole minutes since the epoch, rounded down."""
    return (instant - _EPOCH) // _MINUTE


@functools.lru_cache(maxsize=8192)
def iso_minute(at: int) -> str:
    """Return minutes since the epoch as `2013-12-31T13:25:00Z`."""
    return (_EPOCH + at * _MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms(at: int) -> str:
    """Return milliseconds since the epoch as `2013-12-31T13:25:00.125Z`."""
    whole, ms = divmod(at, 1000)
    return f"{_iso_second(whole)}.{ms:03d}Z"


@functools.lru_cache(maxsize=64)
def _iso_second(at: int) -> str:
    return (_EPOCH + dt.timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S")
