"""Parses text as received to typed values: null where it is missing or not such a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

MISSING_SIGNS = ("", "NA", "NaN", "null")
DAY_S = 86_400
HOUR_S = 3_600
_INT_LIMIT = 2**31


def text(raw: Column) -> Column:
    """Return the trimmed text; null for every sign of a missing value."""
    trimmed = F.trim(raw)
    return F.when(~trimmed.isin(*MISSING_SIGNS), trimmed)


def whole(value: Column) -> Column:
    """Return a whole number as BIGINT, also from `517.0`; null if it is not one of 32 bits."""
    number = value.try_cast("double")
    integral = (F.abs(number) < _INT_LIMIT) & (number == F.floor(number))
    return F.coalesce(value.try_cast("int").cast("long"), F.when(integral, number.cast("long")))


def number(value: Column) -> Column:
    """Return a finite number as DOUBLE; null if it is not one."""
    found = value.try_cast("double")
    return F.when(F.abs(found) < F.lit(float("inf")), found)


def instant(value: Column) -> Column:
    """Return an instant from ISO 8601 text, in UTC if it has no zone; null if it is not one."""
    zoned = value.rlike(r"(Z|[+-]\d\d:?\d\d)$")
    return F.when(zoned, value).otherwise(F.concat(value, F.lit("Z"))).try_cast("timestamp")


def clock(value: Column) -> Column:
    """Return minutes since midnight from a clock such as 517; null if there is no such time.

    2400 is midnight, as 0 is.
    """
    reading = whole(value)
    minutes = F.floor(reading / 100) * 60 + reading % 100
    possible = reading.between(0, 2400) & (reading % 100 < 60)  # noqa: PLR2004 - minutes of an hour
    return F.when(possible, minutes % 1440)


def wall_seconds(at: Column, zone: Column) -> Column:
    """Return the local date and time in a zone, as seconds since 1970-01-01 00:00 on that clock."""
    return F.unix_seconds(F.from_utc_timestamp(at, zone))


def offset_min(at: Column, zone: Column) -> Column:
    """Return the UTC offset of a zone at an instant in minutes, as INT."""
    return F.floor((wall_seconds(at, zone) - F.unix_seconds(at)) / 60).cast("int")


def minutes_later(at: Column, minutes: Column) -> Column:
    """Return the instant some minutes later, or earlier if they are negative."""
    return F.timestamp_seconds(F.unix_seconds(at) + minutes.cast("long") * 60)


def first_instant_after(at: Column, clock_min: Column, zone: Column) -> Column:
    """Return the first instant after `at` at which the local clock of a zone shows a time.

    A time that the clock shows twice (when summer time ends) counts both times; one that it skips
    (when summer time begins) is read on the clock before the change. Clock changes are of one hour.

    Args:
        at: The instant to start from.
        clock_min: Minutes since midnight on the local clock.
        zone: IANA name of the time zone.
    """
    now = wall_seconds(at, zone)
    today = now - F.pmod(now, F.lit(DAY_S)) + clock_min * 60
    first = F.to_utc_timestamp(F.timestamp_seconds(today), zone)
    again = F.timestamp_seconds(F.unix_seconds(first) + HOUR_S)
    tomorrow = F.to_utc_timestamp(F.timestamp_seconds(today + DAY_S), zone)
    return F.coalesce(
        F.when(first > at, first),
        F.when((again > at) & (wall_seconds(again, zone) == today), again),
        tomorrow,
    )
