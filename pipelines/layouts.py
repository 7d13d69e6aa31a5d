"""Layouts: which shape a file has, by its columns, and how its rows become those of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.silver.raw import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.mappings import Mapping

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class ShapeError(Exception):
    """A file is not of an expected shape; the text goes on from `The source file x`."""


@dataclass(frozen=True)
class Layout:
    """The shape of one file.

    Attributes:
        reads: The columns that are read, by our names.
        ignored: Columns of a file in the source's own shape that are not read.
        mapping: How the rows become those of the source; None: they are.
    """

    reads: dict[str, str]
    ignored: tuple[str, ...] = ()
    mapping: Mapping | None = None

    def to_source(self, rows: pa.Table) -> pa.Table:
        """Return rows of the source from what was read, and what could not be."""
        renamed = rows.select([*self.reads.values(), UNREADABLE])
        renamed = renamed.rename_columns([*self.reads, UNREADABLE])
        return renamed if self.mapping is None else self.mapping.to_source(renamed)

    def only_ours(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are taken; a line that could not be read is, to be seen."""
        ours = None if self.mapping is None else self.mapping.are_ours(rows)
        return rows if ours is None else rows.filter(ours)


@dataclass(frozen=True)
class Layouts:
    """The shapes that the files of a source can have.

    Attributes:
        columns: The columns of its own shape.
        mappings: The others.
    """

    columns: tuple[str, ...]
    mappings: tuple[Mapping, ...] = ()

    def of(self, names: Sequence[str]) -> Layout:
        """Return the layout of a file by the names of its columns.

        Raises:
            ShapeError: It has none of the shapes; names what is missing of the likeliest.
        """
        missing = [name for name in self.columns if name not in names]
        if not missing:
            ignored = tuple(name for name in names if name not in self.columns)
            return _checked(Layout({name: name for name in self.columns}, ignored), names)
        best, said = len(self.columns) - len(missing), ""
        for mapping in self.mappings:
            reads = mapping.reads(names)
            found = {ours: theirs for ours, theirs in reads.items() if theirs is not None}
            if len(found) == len(reads):
                return _checked(Layout(found, mapping=mapping), names)
            if len(found) > best:
                best, said = len(found), f"{mapping.title}: "
                lacking = set(reads) - set(found)
                missing = [
                    "/".join(mapping.columns.get(name, (name,)))
                    for name in reads
                    if name in lacking
                ]
        raise ShapeError(said + _lacks(missing, names))


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
