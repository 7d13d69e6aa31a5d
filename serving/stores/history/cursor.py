"""Cursors of the prediction history: a position in its order, as text that a caller sends back."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from serving.stores.errors import InvalidCursorError

MAX_MS: Final = 2**63 - 1

Position = tuple[int, str]
"""Milliseconds since the epoch and prediction id: the history's total order."""

AFTER_ALL: Final[Position] = (MAX_MS, "")


def to_cursor(position: Position) -> str:
    """Return the cursor for the records before a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def upper_end(cursor: str | None, until_ms: int | None) -> Position:
    """Return the position that every record of a page is before.

    Args:
        cursor: Where the page starts; None for the newest.
        until_ms: Only records of before this instant.

    Raises:
        InvalidCursorError: The cursor is not one that a page returned.
    """
    start = AFTER_ALL if cursor is None else _position(cursor)
    return start if until_ms is None else min(start, (until_ms, ""))


def _position(cursor: str) -> Position:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = base64.b64decode(padded, altchars=b"-_", validate=True)
        at, prediction_id = msgspec.json.decode(position, type=tuple[int, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _not_ours(cursor) from error
    if not 0 <= at <= MAX_MS:
        raise _not_ours(cursor)
    return at, prediction_id


def _not_ours(cursor: str) -> InvalidCursorError:
    return InvalidCursorError(
        f"'{cursor[:80]}' is not a cursor of the prediction history: take the value of 'next' from "
        "the page before, or leave the cursor out to start at the newest."
    )
