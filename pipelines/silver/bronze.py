"""Bronze: new source files, found by their checksums and appended to the tables as received."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyspark.sql import functions as F

from features.declare.columns import INGESTED, SOURCE_CHECKSUM
from features.silver.raw import RAW_COLUMNS
from pipelines.silver.table_names import bronze_table
from pipelines.sources.discovery import find_files
from pipelines.sources.mappings import load_mappings
from pipelines.sources.staging import StagedFile, stage_file
from pipelines.spark.concurrency import run_concurrently
from pipelines.tables.commit_metadata import BronzeCommit, from_description, to_description
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.tables.delta_tables import Tables

_TICK = dt.timedelta(microseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def last_ingest(tables: Tables, source: str) -> dt.datetime | None:
    """Return when the newest file of a source was ingested; None if none was."""
    name = bronze_table(source)
    try:
        commit = from_description(BronzeCommit, tables.description(name))
    except TableMissingError:
        return None
    if commit is not None:
        return commit.until
    newest = tables.read(name).agg(F.unix_micros(F.max(INGESTED))).first()
    return None if newest is None else _EPOCH + dt.timedelta(microseconds=newest[0])


def ingest_new_files(context: RunContext) -> dict[str, int]:
    """Append the new files of every source to bronze; return the number of new rows of each.

    Raises:
        SourceError: A file is not there or cannot be read.
    """
    at = dt.datetime.now(dt.UTC)
    with staging_folder(context.settings.home) as folder:

        def append(source: str) -> list[StagedFile]:
            return append_new_files(context, source, folder=folder, at=at)

        added = dict(zip(RAW_COLUMNS, run_concurrently(append, RAW_COLUMNS), strict=True))
    for source, files in added.items():
        _report_files(context, source, files)
    return {source: sum(file.rows for file in files) for source, files in added.items()}


def append_new_files(
    context: RunContext, source: str, *, folder: Path, at: dt.datetime
) -> list[StagedFile]:
    """Append the files of a source that are not in bronze yet, all in one commit; return them.

    Args:
        context: Settings, tables and console of the run.
        source: The source; the settings name its locations.
        folder: Where files are staged.
        at: The time of ingestion.

    Raises:
        SourceError: A file is not there or cannot be read; nothing is appended.
        ConfError: A mapping in conf/ is not valid.
    """
    files = find_files(getattr(context.settings.sources, source))
    before = last_ingest(context.tables, source)
    known = (
        _known_checksums(context.tables, source, [file.checksum for file in files])
        if before
        else ()
    )
    columns, mappings = RAW_COLUMNS[source], load_mappings(source)
    # A clock may go back; a later ingest must have a later time.
    at = max(at, before + _TICK) if before else at
    staged = [
        stage_file(file, columns, folder, at=at, mappings=mappings)
        for file in files
        if file.checksum not in known
    ]
    if staged:
        _append(context.tables, source, staged, at)
    return staged


def _report_files(context: RunContext, source: str, files: Sequence[StagedFile]) -> None:
    names = ", ".join(file.source.name for file in files)
    rows = sum(file.rows for file in files)
    context.console.step(
        f"{source}: {rows:,} rows of {names}" if files else f"{source}: nothing new"
    )
    for file in files:
        if file.shape:
            context.console.step(
                f"{source}: {file.source.name} is {file.shape}: {file.rows:,} rows are taken, "
                f"{file.filtered:,} of other airports are filtered out"
            )
        if file.ignored:
            context.console.step(
                f"{source}: ignoring columns of {file.source.name} that Ontime does not know: "
                f"{', '.join(file.ignored)}"
            )


@contextmanager
def staging_folder(home: Path) -> Iterator[Path]:
    """Provide an empty folder for staged files, without what a killed run left; remove it after."""
    parent = home / "staging"
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(parents=True)
    try:
        yield Path(tempfile.mkdtemp(dir=parent))
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _known_checksums(tables: Tables, source: str, checksums: Sequence[str]) -> set[str]:
    """Return those of some checksums that are in bronze; reads only files that may have them."""
    name = bronze_table(source)
    local = tables.local(name)
    if local is not None:
        wanted = pc.field(SOURCE_CHECKSUM).isin(list(checksums))
        return set(local.rows(name, [SOURCE_CHECKSUM], wanted)[SOURCE_CHECKSUM].to_pylist())
    rows = tables.read(name).select(SOURCE_CHECKSUM)
    found = rows.where(F.col(SOURCE_CHECKSUM).isin(*checksums)).distinct().collect()
    return {row[SOURCE_CHECKSUM] for row in found}


def _append(tables: Tables, source: str, staged: Sequence[StagedFile], at: dt.datetime) -> None:
    checksums = sorted(file.source.checksum for file in staged)
    names = tuple(file.source.name for file in staged)
    filtered = sum(file.filtered for file in staged)
    tables.append_files_once(
        bronze_table(source),
        [file.path for file in staged],
        key=hashlib.sha256(" ".join(checksums).encode()).hexdigest(),
        description=to_description(BronzeCommit(at, names, filtered)),
    )
