"""Marks: what a commit of a table was made of, kept with the commit itself.

So a table and the knowledge of what is in it change together, whatever is killed when.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

import msgspec

from features.offline.blocks import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

Days = tuple[tuple[dt.date, dt.date], ...]


class BronzeMark(msgspec.Struct, frozen=True, tag="ingest"):
    """A commit of a bronze table.

    Attributes:
        until: When its files were taken in: later than all before it.
        files: Their names, for people.
        not_ours: How many of their rows are of flights that Ontime is not about: left out.
    """

    until: dt.datetime
    files: tuple[str, ...]
    not_ours: int = 0


class SilverMark(msgspec.Struct, frozen=True, tag="silver"):
    """A commit of a silver table.

    Attributes:
        until: It is made of the bronze rows that were taken in by then.
        made_by: Hash of the code, and of what else decides what becomes of a row.
        days: First and last of the days on which rows came, went or have other values; None: all.
    """

    until: dt.datetime
    made_by: str
    days: Days | None = None


class SilverState(msgspec.Struct, frozen=True):
    """A silver table as it once was.

    Attributes:
        version: Of the table.
        until: It was made of the bronze rows that were taken in by then; None: nobody knows.
    """

    version: int
    until: dt.datetime | None


class GoldMark(msgspec.Struct, frozen=True, tag="gold"):
    """A commit of a feature table.

    Attributes:
        flights: The silver flights that all its days are up to date with.
        weather: The silver weather, likewise.
        made_by: Hash of code, declarations and settings that all its days were made by.
        days: First and last of the days that this commit wrote; None: all.
    """

    flights: SilverState
    weather: SilverState
    made_by: str
    days: Days | None = None


MarkT = TypeVar("MarkT", BronzeMark, SilverMark, GoldMark)


def text_of(mark: BronzeMark | SilverMark | GoldMark) -> str:
    """Return a mark as the description of a commit."""
    return msgspec.json.encode(mark).decode()


def mark_of(kind: type[MarkT], description: str) -> MarkT | None:
    """Return the mark that a commit's description is; None if it is none of this kind."""
    try:
        return msgspec.json.decode(description, type=kind)
    except msgspec.MsgspecError:
        return None


def days_of_ranges(ranges: Sequence[DayRange]) -> Days | None:
    """Return ranges of days as a mark keeps them; None if they have no ends."""
    ends = [(one.first, one.last) for one in ranges]
    kept = tuple((first, last) for first, last in ends if first is not None and last is not None)
    return kept if len(kept) == len(ends) else None


def ranges_of_days(days: Days) -> tuple[DayRange, ...]:
    """Return the ranges of days that a mark keeps."""
    return tuple(DayRange(first, last) for first, last in days)
