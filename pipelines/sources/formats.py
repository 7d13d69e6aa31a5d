"""Readers of CSV, JSON and Parquet: from a stream of bytes to batches of text columns."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from features.silver.raw import UNREADABLE
from pipelines.sources.mappings import Layout, Layouts, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BLOCK_BYTES = 8 << 20
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Batch:
    """Some rows of a file, in its order.

    Attributes:
        table: The columns that the layout reads, as text under the file's own names, and
            `unreadable`.
        layout: The file's shape.
    """

    table: pa.Table
    layout: Layout


class Reader(Protocol):
    """A reader of one format; it raises errors of pyarrow, or a `ShapeError`."""

    def __call__(self, stream: IO[bytes], layouts: Layouts) -> Iterator[Batch]:
        """Yield the rows of a file in order."""


def read_csv(stream: IO[bytes], layouts: Layouts) -> Iterator[Batch]:
    """Yield the rows of a CSV file with a header; quoted values may have line breaks.

    A row with too few or too many values is in the column `unreadable`.
    """
    bad: list[tuple[int, str]] = []

    def skip(row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow has no type
        bad.append((row.number - 1, row.text))
        return "skip"

    counted = _CountingStream(stream)
    options = pyarrow.csv.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False)
    with pyarrow.csv.open_csv(
        pa.PythonFile(counted, mode="r"),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=skip, newlines_in_values=True),
        convert_options=options,
    ) as lines:  # closed here: a thread that still reads from Python would abort the interpreter
        layout = layouts.of(lines.schema.names)
        reads = list(dict.fromkeys(layout.reads.values()))
        next_row = 1
        for batch in lines:
            rows = pa.Table.from_batches([batch]).select(reads)
            rows = rows.append_column(UNREADABLE, pa.nulls(rows.num_rows, pa.string()))
            merged, next_row = _with_bad_rows(rows, bad, next_row)
            yield Batch(merged, layout)
    counted.require_closed_quotes(rows=next_row - 1 + len(bad))
    if bad:
        yield Batch(_unreadable(reads, [text for _, text in bad]), layout)


def read_json(stream: IO[bytes], layouts: Layouts) -> Iterator[Batch]:
    """Yield the rows of a JSON file: an object on each line, or one array of objects.

    A line that is not an object is in the column `unreadable`; a key that a row lacks is null. In a
    mapped file, a key that only later rows have is ignored.
    """
    seen: dict[str, None] = {}
    rows = _json_rows(stream)
    layout: Layout | None = None
    while some := list(islice(rows, _BATCH_ROWS)):
        for row in some:
            seen.update(dict.fromkeys(row))
        layout = layout or _first_layout(seen, layouts)
        names = (*layout.reads.values(), UNREADABLE)
        text = {name: [_text(row.get(name)) for row in some] for name in names}
        yield Batch(pa.table(text, schema=_text_schema(names)), layout)
    seen.pop(UNREADABLE, None)
    if seen and (layout is None or layout.mapping is None):
        layout = layouts.of(list(seen))
    if layout is not None:
        yield Batch(_unreadable(list(layout.reads.values()), []), layout)


def read_parquet(stream: IO[bytes], layouts: Layouts) -> Iterator[Batch]:
    """Yield the rows of a Parquet file; a floating-point NaN is null."""
    file = pq.ParquetFile(stream)
    layout = layouts.of(file.schema_arrow.names)
    reads = list(dict.fromkeys(layout.reads.values()))
    for batch in file.iter_batches(columns=reads, batch_size=_BATCH_ROWS):
        text = {name: _column_text(batch.column(name), name) for name in reads}
        text[UNREADABLE] = pa.nulls(batch.num_rows, pa.string())
        yield Batch(pa.table(text), layout)


READERS: Mapping[str, Reader] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}


class _CountingStream(io.RawIOBase):
    """A stream that counts its lines and its quotes while it is read.

    No block but the last ends with a carriage return: pyarrow drops a line feed at the beginning of
    the next block, as the end of the same line, also inside quotes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lines = self._quotes = 0
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        held, self._held = self._held, b""
        more = self._stream.read(size - len(held) if size > 0 else size)
        chunk = held + more
        if more.endswith(b"\r") and len(chunk) > 1:
            chunk, self._held = chunk[:-1], b"\r"
        self._lines += chunk.count(b"\n")
        self._quotes += chunk.count(b'"')
        return chunk

    def require_closed_quotes(self, *, rows: int) -> None:
        """Raise if a quote that is not closed may have made one value of several lines."""
        if self._quotes % 2 and self._lines > rows + 1:
            raise ShapeError("has a quote that is not closed, so that lines run into each other")


def _first_layout(seen: Mapping[str, None], layouts: Layouts) -> Layout:
    """Return the layout by the keys so far; else the source's own, to be checked at the end."""
    try:
        return layouts.of([name for name in seen if name != UNREADABLE])
    except ShapeError:
        return Layout({name: name for name in layouts.columns})


def _with_bad_rows(
    good: pa.Table, bad: list[tuple[int, str]], next_row: int
) -> tuple[pa.Table, int]:
    """Insert the bad rows among the good ones, in file order; return the number after the last.

    Those after the last good row stay in `bad`, for the next batch.
    """
    parts: list[pa.Table] = []
    taken = 0
    while bad and bad[0][0] - next_row <= good.num_rows - taken:
        number, text = bad.pop(0)
        before = number - next_row
        parts += [good.slice(taken, before), _unreadable(good.column_names[:-1], [text])]
        taken += before
        next_row = number + 1
    parts.append(good.slice(taken))
    return pa.concat_tables(parts), next_row + good.num_rows - taken


def _unreadable(columns: Sequence[str], texts: list[str]) -> pa.Table:
    data = {name: pa.nulls(len(texts), pa.string()) for name in columns}
    return pa.table({**data, UNREADABLE: pa.array(texts, pa.string())})


def _text_schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in columns])


def _json_rows(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    lines: Iterable[bytes] = stream
    first = next((line for line in stream if line.strip()), b"").removeprefix(codecs.BOM_UTF8)
    if first.lstrip().startswith(b"["):
        yield from _array_rows(first + stream.read())
        return
    for line in chain([first], lines):
        if line.strip():
            yield _json_row(line)


def _json_row(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {UNREADABLE: line.decode("utf-8", errors="replace").rstrip("\r\n")}


def _array_rows(document: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(document, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ShapeError(f"is not a JSON array of objects ({error})") from error


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    return msgspec.json.encode(value).decode()


def _column_text(values: pa.Array, name: str) -> pa.Array:
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(pa.string())
    except pa.ArrowNotImplementedError as error:
        raise ShapeError(
            f"has the column {name} of type {values.type}, which is not text, number or time"
        ) from error
