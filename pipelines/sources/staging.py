"""Staging: a source file of any format becomes one Parquet file of text columns.

Reads a file once, from its first byte to its last, in bounded memory. A file that cannot be read to
its end is rejected as a whole; a single unreadable line is stored as text, for quarantine.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq

from features.declare.columns import INGESTED, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.raw import UNREADABLE
from pipelines.sources.discovery import FORMATS, SourceError
from pipelines.sources.formats import READERS
from pipelines.sources.mappings import Layouts, ShapeError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipelines.sources.discovery import SourceFile
    from pipelines.sources.mappings import FileMapping

_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True, kw_only=True)
class StagedFile:
    """A source file that has been read.

    Attributes:
        source: The file.
        path: The Parquet file with its rows.
        rows: How many there are, unreadable ones included.
        filtered: How many more rows the file has that its mapping filters out.
        ignored: Columns of the file that the source does not have; they were left out.
        shape: The title of the mapping, if the file is not in the source's own shape.
    """

    source: SourceFile
    path: Path
    rows: int
    filtered: int
    ignored: tuple[str, ...]
    shape: str = ""


def stage_file(
    source: SourceFile,
    columns: Sequence[str],
    folder: Path,
    *,
    at: dt.datetime,
    mappings: tuple[FileMapping, ...] = (),
) -> StagedFile:
    """Write the rows of a source file, as received, to a Parquet file and return it.

    Grain: a row for each row of the file that is taken, with its number in the file, from 1, in
    `source_row`. Every value is text as received, null where there is none; a line that is not a
    row has null in all columns and its text in `unreadable`.

    Args:
        source: The file.
        columns: Columns that it must have.
        folder: Where the Parquet file is written; it must exist.
        at: The time of ingestion, which every row gets.
        mappings: Other shapes that it can have.

    Raises:
        SourceError: The file is damaged, empty, not UTF-8 or lacks columns; names the file.
    """
    schema = _schema(columns)
    path = folder / f"{source.checksum}.parquet"
    layouts = Layouts(tuple(columns), mappings)
    read = rows = 0
    layout = None
    with _read_errors(source), _opened(source) as stream, pq.ParquetWriter(path, schema) as writer:
        for batch in READERS[source.format](stream, layouts):
            layout = batch.layout
            table = _with_lineage(layout.to_source(batch.table), source, schema, at, read + 1)
            read += table.num_rows
            table = layout.only_taken(table)
            rows += table.num_rows
            writer.write_table(table)
    if read == 0 or layout is None:
        raise SourceError(
            f"The source file {source.location} has no rows: deliver it again, or take it away."
        )
    shape = layout.mapping.title if layout.mapping else ""
    return StagedFile(
        source=source, path=path, rows=rows, filtered=read - rows, ignored=layout.ignored,
        shape=shape,
    )  # fmt: skip


def _schema(columns: Sequence[str]) -> pa.Schema:
    text = [(name, pa.string()) for name in (*columns, UNREADABLE, SOURCE_FILE, SOURCE_CHECKSUM)]
    lineage = [(SOURCE_ROW, pa.int64()), (INGESTED, pa.timestamp("us", tz="UTC"))]
    return pa.schema([*text, *lineage])


def _with_lineage(
    table: pa.Table, source: SourceFile, schema: pa.Schema, at: dt.datetime, first_row: int
) -> pa.Table:
    count = table.num_rows
    numbers = pa.array(range(first_row, first_row + count), pa.int64())
    lineage = (
        (SOURCE_FILE, pa.repeat(source.name, count)),
        (SOURCE_CHECKSUM, pa.repeat(source.checksum, count)),
        (SOURCE_ROW, numbers),
        (INGESTED, pa.repeat(pa.scalar(at, schema.field(INGESTED).type), count)),
    )
    for name, values in lineage:
        table = table.append_column(name, values)
    return table.select(schema.names).cast(schema)


@contextmanager
def _opened(source: SourceFile) -> Iterator[IO[bytes]]:
    """Open the file; a compressed one is decompressed while it is read, never onto the disk."""
    with source.open() as file:
        if not file.read(1):
            raise SourceError(
                f"The source file {source.location} is empty (0 bytes): deliver it again, or take "
                "it away."
            )
        file.seek(0)
        if source.compression == "gz":
            with gzip.open(file) as stream:
                yield _seekable(cast("IO[bytes]", stream), source)
        elif source.compression == "zip":
            with _archive(file) as archive, archive.open(_member(archive, source)) as stream:
                yield _seekable(stream, source)
        else:
            yield file


def _seekable(stream: IO[bytes], source: SourceFile) -> IO[bytes]:
    """Return the stream, in memory if its format is not read from front to back."""
    return io.BytesIO(stream.read()) if source.format == "parquet" else stream


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except pa.ArrowInvalid as error:  # its central directory points outside the file
        raise zipfile.BadZipFile(str(error)) from error


def _member(archive: zipfile.ZipFile, source: SourceFile) -> str:
    """Return the one data file in an archive."""
    names = [
        name
        for name in archive.namelist()
        if name.rpartition(".")[2].lower() in FORMATS and not name.startswith("__MACOSX/")
    ]
    if len(names) != 1:
        raise SourceError(
            f"The archive {source.location} holds {len(names)} data files rather than one: unpack "
            "it into a folder, and name the folder as the source."
        )
    return names[0]


@contextmanager
def _read_errors(source: SourceFile) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except ShapeError as error:
        raise SourceError(
            f"The source file {source.location} {error}: correct it, or deliver it again."
        ) from error
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise SourceError(_invalid(source, str(error))) from error
    except _DAMAGED as error:
        raise SourceError(
            f"The source file {source.location} is damaged or not a {source.compression} file "
            f"({error}): deliver it again."
        ) from error
    except RuntimeError as error:  # what zipfile raises for an encrypted archive
        raise SourceError(
            f"The archive {source.location} cannot be opened ({error}): deliver it without a "
            "password."
        ) from error
    except OSError as error:
        if source.format == "parquet" and error.errno is None:
            raise SourceError(_invalid(source, str(error).strip())) from error
        raise SourceError(
            f"The source file {source.location} cannot be read or staged: "
            f"{error.strerror or error}."
        ) from error


def _invalid(source: SourceFile, reason: str) -> str:
    if "UTF8" in reason or "utf-8" in reason:
        return (
            f"The source file {source.location} is not UTF-8 text: convert it "
            "(`iconv -f latin1 -t utf-8`), or deliver it again."
        )
    if source.format == "parquet":
        return (
            f"The source file {source.location} is not whole Parquet ({reason}): deliver it again."
        )
    kind = source.format.upper()
    return f"The source file {source.location} is not {kind} text ({reason}): deliver it again."
