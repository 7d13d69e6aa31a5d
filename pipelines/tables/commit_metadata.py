"""Commit metadata: the inputs that a table commit was computed from, stored in the commit.

It is the `userMetadata` of the Delta commit, as JSON. So a table and the record of what it contains
change in one step, whenever a process is killed. The names in the JSON are stored in tables that
exist already: a field may be renamed in Python, but not there.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

import msgspec

from features.offline.blocks import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

Days = tuple[tuple[dt.date, dt.date], ...]


class BronzeCommit(msgspec.Struct, frozen=True, tag="ingest", rename={"filtered": "not_ours"}):
    """A commit of a bronze table.

    Attributes:
        until: When its files were ingested: later than all before it.
        files: Their names.
        filtered: How many of their rows were left out, as a mapping selects other rows.
    """

    until: dt.datetime
    files: tuple[str, ...]
    filtered: int = 0


class SilverCommit(msgspec.Struct, frozen=True, tag="silver", rename={"fingerprint": "made_by"}):
    """A commit of a silver table.

    Attributes:
        until: The table is computed from the bronze rows that were ingested by then.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        days: First and last of the days on which rows were added, removed or changed; None: all.
    """

    until: dt.datetime
    fingerprint: str
    days: Days | None = None


class SilverVersion(msgspec.Struct, frozen=True):
    """A version of a silver table.

    Attributes:
        version: Its number.
        until: It was computed from the bronze rows that were ingested by then; None: unknown.
    """

    version: int
    until: dt.datetime | None


class GoldCommit(msgspec.Struct, frozen=True, tag="gold", rename={"fingerprint": "made_by"}):
    """A commit of a feature table.

    Attributes:
        flights: The version of the silver flights that all its days are computed from.
        weather: The version of the silver weather, likewise.
        fingerprint: Hash of the code, declarations and settings that all its days were computed by.
        days: First and last of the days that this commit wrote; None: all.
    """

    flights: SilverVersion
    weather: SilverVersion
    fingerprint: str
    days: Days | None = None


CommitT = TypeVar("CommitT", BronzeCommit, SilverCommit, GoldCommit)


def to_description(commit: BronzeCommit | SilverCommit | GoldCommit) -> str:
    """Return commit metadata as the description of a commit: JSON."""
    return msgspec.json.encode(commit).decode()


def from_description(kind: type[CommitT], description: str) -> CommitT | None:
    """Return the metadata in a commit's description; None if it holds none of this kind."""
    try:
        return msgspec.json.decode(description, type=kind)
    except msgspec.MsgspecError:
        return None


def days_of_ranges(ranges: Sequence[DayRange]) -> Days | None:
    """Return ranges of days as commit metadata holds them; None if one has an open end."""
    ends = [(one.first, one.last) for one in ranges]
    days = tuple((first, last) for first, last in ends if first is not None and last is not None)
    return days if len(days) == len(ends) else None


def ranges_of_days(days: Days) -> tuple[DayRange, ...]:
    """Return the ranges of days that commit metadata holds."""
    return tuple(DayRange(first, last) for first, last in days)
