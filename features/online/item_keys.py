"""Keys of the online store: an entity key and the time bucket that an item covers."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from features.declare.declarations import MINUTES_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.declare.declarations import Entity


_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def key_of(entity: Entity, parts: Mapping[str, Any]) -> str | None:
    """Return an entity key, such as `origin=JFK|carrier=B6`; None where a part is missing."""
    if len(entity) == 1:  # the most frequent case, without a list
        value = parts[entity[0]]
        return None if value is None else f"{entity[0]}={value}"
    found = []
    for part in entity:
        value = parts[part]
        if value is None:
            return None
        found.append(f"{part}={value}")
    return "|".join(found) or "all"


@lru_cache(maxsize=4096)
def rows_suffix(bucket: int, span: int) -> str:
    """Return the suffix of a key of rows, after the entity key: `@2013-12-30`.

    Args:
        bucket: Number of the time bucket.
        span: Minutes of a time bucket.
    """
    return f"@{_day(bucket * span // MINUTES_PER_DAY)}"


@lru_cache(maxsize=4096)
def sums_suffix(bucket: int, span: int) -> str:
    """Return the suffix of a key of sums, after the entity key: `#2013-12-05`.

    Args:
        bucket: Number of the time bucket.
        span: Days of a time bucket.
    """
    return f"#{_day(bucket * span)}"


@lru_cache(maxsize=4096)
def utc_hour(minute: int) -> str:
    """Return the UTC hour of a minute since the epoch, as flight ids have it: `2013123023`."""
    return f"{dt.datetime.fromtimestamp(minute * 60, tz=dt.UTC):%Y%m%d%H}"


def _day(number: int) -> str:
    return dt.date.fromordinal(number + _EPOCH).isoformat()
