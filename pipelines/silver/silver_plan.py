"""The plan of a silver table and the candidates that it leads to, whichever engine computes them.

A new file affects the months of its rows. A row of it supersedes the row of an older file with the
same key, which is found in those months of silver; other rows are unchanged. The result is the
same as from all files together: see docs/adr/0007.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from features.silver.silver_tables import SILVER
from ontime_base.errors import OntimeError
from pipelines.silver.bronze import last_ingest
from pipelines.silver.table_names import bronze_table, silver_table
from pipelines.spark.persist import unpersist
from pipelines.tables.commit_metadata import SilverCommit, from_description
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from features.offline.blocks import DayRange
    from pipelines.tables.content_hash import ContentHash
    from pipelines.tables.delta_tables import Tables


class ReconciliationError(OntimeError):
    """Rows got lost, or came out twice, between a source file and the tables."""


@dataclass(frozen=True)
class SilverPlan:
    """The plan of the silver table of a source.

    Attributes:
        source: The source.
        until: When the newest of its bronze rows were ingested.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        since: Only rows that were ingested after this are read from bronze; None: all rows.
        reason: Why, in a short clause.
    """

    source: str
    until: dt.datetime
    fingerprint: str
    since: dt.datetime | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The rows of one source on their way to silver and quarantine.

    Rows are Spark frames, or Arrow tables where they fit into memory.

    Attributes:
        plan: What is done to the source.
        validated: The rows that are written to silver; of an Arrow table with `conditions`.
        conditions: Further columns of an Arrow table, which its quality suite needs.
        refused: The rows that go to quarantine, as it has them; None: there are none.
        months: The months of silver that are replaced; None: all of it.
        inside: SQL that is true of the rows of silver in those months; for a Spark frame.
        days: The days on which rows were added, removed or changed; None: all.
        quarantined: How many rows go to quarantine.
        written: How many rows are written to silver.
        content: The content hash that the silver table will have.
        cached: Frames that are held in memory until they are released.
    """

    plan: SilverPlan
    validated: DataFrame | pa.Table
    conditions: tuple[str, ...] = ()
    refused: DataFrame | pa.Table | None
    months: tuple[DayRange, ...] | None
    inside: str = "true"
    days: tuple[DayRange, ...] | None
    quarantined: int
    written: int
    content: ContentHash
    cached: tuple[DataFrame, ...] = ()

    @property
    def source(self) -> str:
        """The source."""
        return self.plan.source

    @property
    def silver(self) -> DataFrame | pa.Table:
        """The rows that are written to silver, with the columns of its table."""
        if isinstance(self.validated, pa.Table):
            return self.validated.drop(list(self.conditions))
        return self.validated

    def release(self) -> None:
        """Remove the cached rows from memory."""
        for frame in self.cached:
            unpersist(frame)


def plan_silver(
    source: str,
    before: SilverCommit | None,
    *,
    until: dt.datetime,
    fingerprint: str,
    by_day: bool,
    forced: bool = False,
) -> SilverPlan | None:
    """Return what is to be done to a silver table; None if it is up to date. Pure.

    Args:
        source: The source.
        before: The metadata of the table's last commit; None: no table, or no metadata.
        until: When the newest of its bronze rows were ingested.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        by_day: Whether days of the table can be rebuilt alone.
        forced: Whether all of it is to be rebuilt.
    """

    def of_all_files(reason: str) -> SilverPlan:
        return SilverPlan(source, until, fingerprint, None, reason)

    if forced:
        return of_all_files("it is forced")
    if before is None:
        return of_all_files("it does not exist yet")
    if before.fingerprint != fingerprint:
        return of_all_files("its code or the time zones changed")
    if before.until == until:
        return None
    if before.until > until:
        return of_all_files("bronze was restored to an earlier state")
    since = before.until if by_day else None
    return SilverPlan(source, until, fingerprint, since, "files are new")


def plan_source(
    tables: Tables, source: str, fingerprint: str, *, forced: bool
) -> SilverPlan | None:
    """Return what is to be done to the silver table of a source; None if it is up to date.

    Args:
        tables: The tables.
        source: The source.
        fingerprint: Hash of the code, and of what else decides what becomes of a row.
        forced: Whether all of it is to be rebuilt.

    Raises:
        TableMissingError: The source has no bronze table.
    """
    until = last_ingest(tables, source)
    if until is None:
        raise TableMissingError(f"Table {bronze_table(source)} does not exist: run stage ingest.")
    try:
        before = from_description(SilverCommit, tables.description(silver_table(source)))
    except TableMissingError:
        before = None
    return plan_silver(
        source,
        before,
        until=until,
        fingerprint=fingerprint,
        by_day=bool(SILVER[source].day),
        forced=forced,
    )


def digest_of(parts: object) -> str:
    """Return a short hash of what decides what becomes of a row."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def require_equal_counts(
    source: str, before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
) -> None:
    """Return if each row of each file came out once for silver or quarantine.

    Args:
        source: The source.
        before: Rows in bronze by name and checksum of the file.
        after: Rows that came out, likewise.

    Raises:
        ReconciliationError: They differ; names the first file.
    """
    for file in sorted(before.keys() | after.keys()):
        if before.get(file, 0) != after.get(file, 0):
            raise ReconciliationError(
                f"{source}: file {file[0]} has {before.get(file, 0):,} rows in bronze, and "
                f"{after.get(file, 0):,} came out for silver and quarantine: none was written. "
                "Report this: it is a defect of Ontime."
            )
