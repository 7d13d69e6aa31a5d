"""Silver and quarantine from bronze: every row in exactly one of the two, or the run stops."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.columns import SOURCE_CHECKSUM, SOURCE_FILE
from features.errors import OntimeError
from features.silver.catalog import SILVER, to_quarantine, to_silver, with_refusals
from features.silver.raw import AIRPORTS, FLIGHTS, WEATHER
from pipelines.bronze import bronze_table
from pipelines.fingerprint import code_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.tables import Tables

QUARANTINE = "quarantine"
ROWS_PER_FILE = 50_000
_NEED_AIRPORTS = (WEATHER, FLIGHTS)


class ReconciliationError(OntimeError):
    """Rows got lost, or came out twice, between a source file and the tables."""


@dataclass(frozen=True)
class Candidates:
    """The rows of one source on their way to silver, kept in memory.

    Attributes:
        source: The source.
        bronze: Its rows as received.
        rows: The same rows, typed, with their refusal.
        typed: What of it is kept in memory.
    """

    source: str
    bronze: DataFrame
    rows: DataFrame
    typed: DataFrame

    def release(self) -> None:
        """Give the memory back."""
        self.typed.unpersist()


def silver_table(source: str) -> str:
    """Return the name of the silver table of a source."""
    return f"silver_{source}"


def stale_sources(tables: Tables) -> dict[str, str]:
    """Return the sources whose silver is not of this bronze and this code; each with its new mark.

    A mark is kept as the description of the silver table's commit, which comes after that of
    quarantine: a run that was killed in between leaves the source stale.
    """
    marks = _marks(tables)
    return {
        source: mark
        for source, mark in marks.items()
        if not tables.exists(silver_table(source))
        or tables.description(silver_table(source)) != mark
    }


def candidates_of(tables: Tables, sources: Sequence[str]) -> list[Candidates]:
    """Return the candidates of some sources."""
    found: dict[str, Candidates] = {}
    for source in sources:
        bronze = tables.read(bronze_table(source))
        airports = bronze
        if source in _NEED_AIRPORTS:
            fresh = found.get(AIRPORTS)
            airports = to_silver(fresh.rows) if fresh else tables.read(silver_table(AIRPORTS))
        typed = kept(SILVER[source].candidates(bronze, airports))
        found[source] = Candidates(source, bronze, with_refusals(typed, source), typed)
    return list(found.values())


def kept(frame: DataFrame) -> DataFrame:
    """Return the frame, kept where it is computed first."""
    return frame.persist()


def validate_counts(candidates: Candidates) -> None:
    """Return if every bronze row of every file is once among the candidates.

    Raises:
        ReconciliationError: It is not; names the file and the two counts.
    """
    file = [SOURCE_FILE, SOURCE_CHECKSUM]
    received = _counts(candidates.bronze.groupBy(*file).count())
    came_out = _counts(candidates.rows.groupBy(*file).count())
    for key in sorted(received.keys() | came_out.keys()):
        if received.get(key, 0) != came_out.get(key, 0):
            raise ReconciliationError(
                f"{candidates.source}: file {key[0]} has {received.get(key, 0):,} rows in bronze, "
                f"and {came_out.get(key, 0):,} came out for silver and quarantine: none was "
                "written. Report this: it is a defect of Ontime."
            )


def write_silver(
    tables: Tables, candidates: Sequence[Candidates], marks: Mapping[str, str]
) -> None:
    """Write quarantine for all sources in one commit, then the silver table of each."""
    refused = [to_quarantine(one.rows, one.bronze, one.source) for one in candidates]
    names = ", ".join(f"'{one.source}'" for one in candidates)
    tables.replace_where(
        QUARANTINE,
        reduce(DataFrame.unionByName, refused).coalesce(1),
        predicate=f"source IN ({names})",
        description=f"ingest: quarantine of {names}",
    )
    for one in candidates:
        tables.replace(
            silver_table(one.source),
            to_silver(one.rows),
            description=marks[one.source],
            rows_per_file=ROWS_PER_FILE,
        )


def _counts(frame: DataFrame) -> dict[tuple[str, str], int]:
    return {(row[0], row[1]): row[2] for row in frame.collect()}


def _marks(tables: Tables) -> dict[str, str]:
    code = _digest(sorted(code_of("features.silver.catalog").items()))
    marks: dict[str, str] = {}
    for source in SILVER:
        version = tables.version(bronze_table(source))
        parts = [code, version, marks[AIRPORTS] if source in _NEED_AIRPORTS else ""]
        marks[source] = f"{bronze_table(source)} version {version}, made by {_digest(parts)}"
    return marks


def _digest(parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def refused_reasons(tables: Tables, limit: int = 5) -> list[tuple[str, int]]:
    """Return the commonest reasons in quarantine, in short, with their rows."""
    counted = (
        tables.read(QUARANTINE)
        .groupBy("source", "rule")
        .agg(F.count("*").alias("rows"), F.min("reason").alias("example"))
        .orderBy(F.desc("rows"), "source", "rule")
        .limit(limit)
    )
    return [
        (f"{row['source']}: {row['rule']}, such as: {row['example']}", row["rows"])
        for row in counted.collect()
    ]
