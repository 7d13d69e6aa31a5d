"""Mappings and layouts: detects a file's layout by its columns, and maps its rows to a source.

A file has the source's own shape, or one that a YAML file in conf/mappings/ declares. Nothing here
is specific to one kind of file: names, formats, factors and airports are all in the YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field, ValidationError

from features.silver.raw import RAW_COLUMNS, UNREADABLE
from ontime_base.configuration import ConfError, Settings, conf_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


DATE: Final = "date"
_OF_SCHEDULE: Final = ("year", "month", "day", "hour", "minute", "time_hour")
_CLOCK: Final = r"^\s*(?P<clock>\d{1,4})(?:\.0*)?\s*$"
_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


class ShapeError(Exception):
    """A file is not of an expected shape; the text continues `The source file x`."""


class Schedule(Settings):
    """How the columns of the schedule are computed from a local date and a local clock.

    Attributes:
        date: Names of the column with the local date.
        date_formats: Formats of dates, for `strptime`; the first that fits is taken.
        clock: The column of the source with the local clock, such as 517.
        zone: The time zone of both.
    """

    date: tuple[str, ...] = Field(min_length=1)
    date_formats: tuple[str, ...] = Field(min_length=1)
    clock: str
    zone: str


class RowFilter(Settings):
    """A row filter: selects rows with one of some values, or with none, in a source's column."""

    column: str
    among: tuple[str, ...] = Field(min_length=1)


class FileMapping(Settings):
    """One file of `conf/mappings/`.

    Attributes:
        title: A name for such files, for messages.
        source: The source that they belong to.
        columns: For each column of the source, names in the file; the first that it has is read.
        factors: By column of the source, what its numbers are multiplied by; then they are rounded.
        schedule: How the columns of the schedule are computed; None: they are among `columns`.
        ours: Which rows are taken; None: all.
    """

    title: str
    source: str
    columns: dict[str, tuple[str, ...]]
    factors: dict[str, float] = Field(default_factory=dict)
    schedule: Schedule | None = None
    ours: RowFilter | None = None

    def reads(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the file's column, or None, for each column of the source and for `date`."""
        wanted = dict(self.columns)
        if self.schedule is not None:
            wanted[DATE] = self.schedule.date
        there = set(names)
        return {
            column: next((name for name in names_of_it if name in there), None)
            for column, names_of_it in wanted.items()
        }

    def to_source(self, rows: pa.Table) -> pa.Table:
        """Return rows of the source, computed from the columns that were read, under its names."""
        found = {name: rows[name] for name in rows.column_names}
        for name, factor in self.factors.items():
            found[name] = _multiplied(rows[name], factor)
        if self.schedule is not None:
            found |= _schedule_columns(rows[DATE], rows[self.schedule.clock], self.schedule)
        return pa.table({name: found[name] for name in (*RAW_COLUMNS[self.source], UNREADABLE)})

    def are_taken(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows are taken, or None for all; a row without the value is taken."""
        if self.ours is None:
            return None
        values = pc.utf8_trim_whitespace(rows[self.ours.column])
        among = pc.is_in(values, value_set=pa.array([*self.ours.among, ""]))
        return pc.or_(among, pc.is_null(values))


def load_mappings(source: str, folder: Path | None = None) -> tuple[FileMapping, ...]:
    """Return the mappings of a source, in the order of their files.

    Raises:
        ConfError: A file is not valid; names it and what is wrong.
    """
    where = (folder or conf_folder()) / "mappings"
    found = (_read(path) for path in sorted(where.glob("*.yaml")))
    return tuple(mapping for mapping in found if mapping.source == source)


@dataclass(frozen=True)
class Layout:
    """The shape of one file.

    Attributes:
        reads: The columns of the file that are read, by column of the source.
        ignored: Columns of a file in the source's own shape that are not read.
        mapping: How the rows become those of the source; None: they have its own shape.
    """

    reads: dict[str, str]
    ignored: tuple[str, ...] = ()
    mapping: FileMapping | None = None

    def to_source(self, rows: pa.Table) -> pa.Table:
        """Return rows of the source from the rows of the file, unreadable lines as they are."""
        renamed = rows.select([*self.reads.values(), UNREADABLE])
        renamed = renamed.rename_columns([*self.reads, UNREADABLE])
        return renamed if self.mapping is None else self.mapping.to_source(renamed)

    def only_taken(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are taken; an unreadable line is, for quarantine."""
        taken = None if self.mapping is None else self.mapping.are_taken(rows)
        return rows if taken is None else rows.filter(taken)


@dataclass(frozen=True)
class Layouts:
    """The shapes that the files of a source can have.

    Attributes:
        columns: The columns of the source's own shape.
        mappings: The other shapes.
    """

    columns: tuple[str, ...]
    mappings: tuple[FileMapping, ...] = ()

    def of(self, names: Sequence[str]) -> Layout:
        """Return the layout of a file by the names of its columns.

        Raises:
            ShapeError: It has none of the shapes; names the columns missing from the closest.
        """
        missing = [name for name in self.columns if name not in names]
        if not missing:
            ignored = tuple(name for name in names if name not in self.columns)
            return _checked(Layout({name: name for name in self.columns}, ignored), names)
        best, title = len(self.columns) - len(missing), ""
        for mapping in self.mappings:
            reads = mapping.reads(names)
            found = {column: name for column, name in reads.items() if name is not None}
            if len(found) == len(reads):
                return _checked(Layout(found, mapping=mapping), names)
            if len(found) > best:
                best, title = len(found), f"{mapping.title}: "
                lacking = set(reads) - set(found)
                missing = [
                    "/".join(mapping.columns.get(name, (name,)))
                    for name in reads
                    if name in lacking
                ]
        raise ShapeError(title + _lacks(missing, names))


def _lacks(missing: Sequence[str], names: Sequence[str]) -> str:
    plural = "s" if len(missing) > 1 else ""
    for sign, words in _DELIMITERS.items():
        if len(names) == 1 and sign in names[0]:
            return (
                f"has its values separated by {words}, and only commas are read: write it again "
                "with commas, and quotes around values that have one"
            )
    return f"lacks the column{plural} {', '.join(missing)} (it has {', '.join(names)})"


def _checked(layout: Layout, names: Sequence[str]) -> Layout:
    twice = sorted({name for name in layout.reads.values() if list(names).count(name) > 1})
    if twice:
        raise ShapeError(f"has the column {', '.join(twice)} more than once")
    return layout


def _read(path: Path) -> FileMapping:
    try:
        mapping = FileMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise ConfError(f"The mapping {path} is not valid: {wrong}. Correct it.") from error
    produced = set(mapping.columns) | (set(_OF_SCHEDULE) if mapping.schedule else set())
    wanted = set(RAW_COLUMNS.get(mapping.source, ()))
    wrong_ones = sorted(produced ^ wanted)
    if not wanted or wrong_ones:
        which = f"columns {', '.join(wrong_ones)}" if wanted else f"source {mapping.source}"
        raise ConfError(
            f"The mapping {path} does not make what the source has ({which}): name each "
            "column of the source once, and no other."
        )
    return mapping


def _schedule_columns(
    dates: pa.ChunkedArray, clocks: pa.ChunkedArray, schedule: Schedule
) -> dict[str, pa.ChunkedArray]:
    """Return the columns of the schedule as text; what is no date or clock stays as received.

    An hour that the local clock shows twice is the first of the two. One that it skips becomes an
    hour later, so that silver quarantines the row: its clock disagrees.
    """
    text = pc.utf8_trim_whitespace(dates)
    tried = [
        pc.strptime(text, format=f, unit="s", error_is_null=True) for f in schedule.date_formats
    ]
    day = pc.floor_temporal(pc.coalesce(*tried), unit="day")
    reading = pc.struct_field(pc.extract_regex(clocks, _CLOCK), "clock").cast(pa.int64())
    hour, minute = pc.divide(reading, 100), pc.subtract(reading, _hundreds(reading))
    seconds = pc.multiply(hour, 3600).cast(pa.duration("s"))
    local = pc.assume_timezone(
        pc.add(day, seconds), schedule.zone, ambiguous="earliest", nonexistent="latest"
    )
    utc = local.cast(pa.timestamp("s", tz="UTC"))
    return {
        **{part: _text(getattr(pc, part)(day), dates) for part in ("year", "month", "day")},
        "hour": _text(hour, clocks),
        "minute": _text(minute, clocks),
        "time_hour": pc.strftime(utc, format="%Y-%m-%dT%H:%M:%SZ"),
    }


def _hundreds(reading: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.multiply(pc.divide(reading, 100), 100)


def _text(numbers: pa.ChunkedArray, received: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.coalesce(numbers.cast(pa.string()), received)


def _multiplied(values: pa.ChunkedArray, factor: float) -> pa.ChunkedArray:
    """Return numbers times a factor, as text; what is no number stays as received."""
    numeric = pc.match_substring_regex(values, r"^\s*-?\d+(?:\.\d*)?\s*$")
    numbers = pc.if_else(numeric, pc.utf8_trim_whitespace(values), None).cast(pa.float64())
    whole = pc.round(pc.multiply(numbers, factor)).cast(pa.int64())
    return _text(whole, values)
