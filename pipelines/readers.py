"""Readers of CSV, JSON and Parquet: a stream of bytes in, batches of text columns out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from features.silver.raw import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BLOCK_BYTES = 8 << 20
_BATCH_ROWS = 65_536


class ShapeError(Exception):
    """A file is not of the expected shape; the text goes on from `The source file x`."""


@dataclass(frozen=True)
class Batch:
    """Some rows of a file, in its order.

    Attributes:
        table: The wanted columns as text, and `unreadable`.
        ignored: Columns of the file that are not wanted.
    """

    table: pa.Table
    ignored: tuple[str, ...] = ()


class Reader(Protocol):
    """What every format has: rows as text, or an error of pyarrow or of this module."""

    def __call__(self, stream: IO[bytes], columns: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows of a file in order."""


def read_csv(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Batch]:
    """Yield the rows of a CSV file with a header; a row is a line.

    A line with too few or too many values comes as `unreadable`.
    """
    bad: list[tuple[int, str]] = []

    def keep(row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow has no type
        bad.append((row.number - 1, row.text))
        return "skip"

    options = pyarrow.csv.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False)
    lines = pyarrow.csv.open_csv(
        stream,
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=keep),
        convert_options=options,
    )
    ignored = _validated_columns(lines.schema.names, columns)
    next_row = 1
    for batch in lines:
        rows = pa.Table.from_batches([batch]).select(columns)
        rows = rows.append_column(UNREADABLE, pa.nulls(rows.num_rows, pa.string()))
        merged, next_row = _with_bad_rows(rows, bad, next_row)
        yield Batch(merged, ignored)
    if bad:
        yield Batch(_unreadable(columns, [text for _, text in bad]), ignored)


def read_json(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Batch]:
    """Yield the rows of a JSON file: an object on each line, or one array of objects.

    A line that is not an object comes as `unreadable`; a key that a row lacks is null in it.
    """
    seen: dict[str, None] = {}
    rows = _json_rows(stream)
    while some := list(islice(rows, _BATCH_ROWS)):
        for row in some:
            seen.update(dict.fromkeys(row))
        text = {name: [_text(row.get(name)) for row in some] for name in (*columns, UNREADABLE)}
        yield Batch(pa.table(text, schema=_text_schema((*columns, UNREADABLE))))
    seen.pop(UNREADABLE, None)
    ignored = _validated_columns(list(seen), columns) if seen else ()
    yield Batch(_unreadable(columns, []), ignored)


def read_parquet(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Batch]:
    """Yield the rows of a Parquet file; a floating-point NaN is null."""
    file = pq.ParquetFile(stream)
    ignored = _validated_columns(file.schema_arrow.names, columns)
    for batch in file.iter_batches(columns=list(columns), batch_size=_BATCH_ROWS):
        text = {name: _column_text(batch.column(name), name) for name in columns}
        text[UNREADABLE] = pa.nulls(batch.num_rows, pa.string())
        yield Batch(pa.table(text), ignored)


READERS: Mapping[str, Reader] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}


def _validated_columns(found: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are not wanted; raise if one that is wanted is not there once."""
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ShapeError(
            f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} (it has "
            f"{', '.join(found)})"
        )
    twice = sorted({name for name in wanted if list(found).count(name) > 1})
    if twice:
        raise ShapeError(f"has the column {', '.join(twice)} more than once")
    return tuple(name for name in found if name not in wanted)


def _with_bad_rows(
    good: pa.Table, bad: list[tuple[int, str]], next_row: int
) -> tuple[pa.Table, int]:
    """Put the bad rows among the good ones back to their places; return the number after the last.

    Those that come after the last good row are left in `bad`, for the next batch.
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
    first = next((line for line in stream if line.strip()), b"")
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
