"""Generates Python functions from a look-up plan (measurements that justify it: ADR 0022).

This is the innermost loop of a prediction. The numbers of slots, columns and edges become constants
of the generated functions: one function for the items of each kind of each entity (`reader_of`),
and one that combines all slots to features (`combine_of`). No value of a request is ever part of
the generated source.

Names in the generated code: `e3` is the minute of edge 3 and `t3` its time bucket, `words` the
integers of an item, `count` the number of rows of a track, `minutes` the offset of their minutes,
and `s` the slots. Positions are indexes into an item's integers.
"""

from __future__ import annotations

import linecache
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from features.declare.streams import OVERDUE_FOR_MIN
from features.online.item_bytes import NULL
from features.online.lookup_plan import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.online.lookup_plan import Combine, LastValue, Reader, Step, Total, TrackPlan


_INDENT: Final = "    "


def reader_of(name: str, tracks: Iterable[TrackPlan]) -> Reader:
    """Return the function that resolves the inputs that the items of one kind hold.

    Args:
        name: Name of the items, for tracebacks.
        tracks: What is read of them.
    """
    source = _Source()
    with source.block("def read(found, edges, at, s, newest):"):
        body = _Source(source.depth)
        edges: set[int] = set()
        for track in tracks:
            _windows(body, track, edges)
            _open_intervals(body, track)
            _latest(body, track, edges)
            _freshness(body, track)
        for edge in sorted(edges):
            source.add(f"e{edge}, t{edge} = edges[{edge}]")
        source.lines += body.lines or [f"{_INDENT}pass"]
    return source.function("read", f"the items of {name}", {"bisect": bisect_left})  # type: ignore[no-any-return]


def combine_of(features: Iterable[Step]) -> Combine:
    """Return the function from the slots and the flight's own columns to all features in order."""
    source, names = _Source(), dict[str, object](text=text_of)
    with source.block("def combine(s, parts):"), source.block("return ["):
        for number, (name, compute, slots) in enumerate(features):
            values = ", ".join(f"s[{slot}]" for slot in slots)
            if compute is not None:
                names[f"f{number}"] = compute
                values = f"f{number}({values})"
            source.add(f"{values or f'text(parts[{name!r}])'},  # {name}")
        source.add("]")
    return source.function("combine", "the features", names)  # type: ignore[no-any-return]


class _Block:
    def __init__(self, source: _Source) -> None:
        self._source = source

    def __enter__(self) -> None:
        self._source.depth += 1

    def __exit__(self, *_: object) -> None:
        self._source.depth -= 1


class _Source:
    """Lines of Python with a current depth of indentation."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(_INDENT * self.depth + line)

    def block(self, head: str) -> _Block:
        self.add(head)
        return _Block(self)

    def function(self, name: str, about: str, names: dict[str, Any]) -> Any:  # noqa: ANN401 - as generated
        """Return the compiled function; tracebacks and debuggers can show its source."""
        text, file = "\n".join((*self.lines, "")), f"<generated for {about}>"
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        exec(compile(text, file, "exec"), names)  # noqa: S102 - generated from declarations alone
        return names[name]


def _windows(source: _Source, track: TrackPlan, edges: set[int]) -> None:
    """Generate totals over windows: two searches and a subtraction each."""
    for last, starts in track.windows.items():
        edges |= {last, *starts}
        source.add(f"words = found.get(t{last})")
        with source.block("if words is not None:"):
            _rows(source, track)
            source.add(f"high = bisect(words, e{last}, minutes, minutes + count)")
            for first, totals in starts.items():
                with source.block(f"if t{first} == t{last}:"):
                    source.add(f"low = bisect(words, e{first}, minutes, high)")
                with source.block("else:"):
                    source.add(f"low = minutes if t{first} < t{last} else high")
                _add_rows(source, track, totals, f"t{last}")
        for first, totals in starts.items():
            with source.block(f"for bucket in range(t{first}, t{last}):"):
                source.add("words = found.get(bucket)")
                with source.block("if words is not None:"):
                    _rows(source, track)
                    source.add("low, high = minutes, minutes + count")
                    with source.block(f"if bucket == t{first}:"):
                        source.add(f"low = bisect(words, e{first}, minutes, high)")
                    _add_rows(source, track, totals, "bucket")


def _rows(source: _Source, track: TrackPlan) -> None:
    """Generate the number of rows of a track, and the offset of their minutes."""
    source.add(f"count = words[{track.header}]")
    wide = f" + {2 * track.wide} * count" if track.wide else ""
    source.add(f"minutes = words[{track.header + 1}]{wide}")


def _add_rows(source: _Source, track: TrackPlan, totals: list[Total], bucket: str) -> None:
    """Generate the addition of the rows from `low` to `high` of one item to their slots."""
    with source.block("if low != high:"):
        _add_totals(source, totals, "(high - low)", f"{track.span} * {bucket}")


def _add_totals(source: _Source, totals: Iterable[Total], rows: str, origin: str) -> None:
    """Generate the addition of totals from `low` to `high`; `origin` is added to each instant."""
    for slot, column, instant in totals:
        if column is None:
            source.add(f"s[{slot}] += {rows}")
            continue
        before = f" + {column} * (count + 1)" if column else ""
        source.add(f"totals = count{before}")
        start = f" + {origin} * {rows}" if instant else ""
        source.add(f"s[{slot}] += words[totals + high] - words[totals + low]{start}")


def _open_intervals(source: _Source, track: TrackPlan) -> None:
    """Generate totals over open intervals; an interval's end is in the item of its start."""
    if not track.open_intervals:
        return
    first, last = f"(at - {OVERDUE_FOR_MIN}) // {track.span}", f"(at - 1) // {track.span}"
    with source.block(f"for bucket in range({first}, {last} + 1):"):
        source.add("words = found.get(bucket)")
        with source.block("if words is not None:"):
            _rows(source, track)
            source.add(f"ended = words[{track.header + 3}] + {2 * track.identified} * count")
            source.add("high = bisect(words, at, minutes, minutes + count)")
            source.add("low = bisect(words, at, ended, ended + count)")
            source.add("still_open = (high - minutes) - (low - ended)")
            _add_totals(source, track.open_intervals, "still_open", f"{track.span} * bucket")


def _latest(source: _Source, track: TrackPlan, edges: set[int]) -> None:
    """Generate values of the latest row before one edge and not before another."""
    for (last, first), values in track.latest.items():
        edges |= {last, first}
        with source.block(f"for bucket in range(t{last}, t{first} - 1, -1):"):
            source.add("words = found.get(bucket)")
            with source.block("if words is not None:"):
                _rows(source, track)
                source.add(f"row = bisect(words, e{last}, minutes, minutes + count) - 1")
                with source.block("if row >= minutes:"):
                    with source.block(f"if words[row] >= e{first}:"):
                        for value in values:
                            _take(source, track, value)
                    source.add("break")


def _take(source: _Source, track: TrackPlan, value: LastValue) -> None:
    if value.is_float:
        column = track.identified + value.column
        place = f"words[{track.header + 1}] // 2 + {column} * count + row - minutes"
        source.add(f's[{value.slot}] = words.cast("B").cast("d")[{place}]')
        return
    integers = f"row + count + {track.totals} * (count + 1)"
    source.add(f"value = words[{integers} + {value.column} * count]")
    known = ""
    if value.known is not None:
        known = f" and {NULL} < words[{integers} + {value.known} * count] < at"
    with source.block(f"if value != {NULL}{known}:"):
        source.add(f"s[{value.slot}] = float(value)")


def _freshness(source: _Source, track: TrackPlan) -> None:
    """Generate the newest known-at minute before the prediction."""
    if track.freshness_of is None:
        return
    source.add(f"known = newest.get({track.freshness_of!r})")
    with source.block("for words in found.values():"):
        _rows(source, track)
        source.add("row = bisect(words, at, minutes, minutes + count) - 1")
        with source.block("if row >= minutes and (known is None or words[row] > known):"):
            source.add("known = words[row]")
    source.add(f"newest[{track.freshness_of!r}] = known")
