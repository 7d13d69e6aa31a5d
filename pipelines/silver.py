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
from features.silver.catalog import SILVER, to_quarantine, to_silver
from features.silver.fields import REASON, REFUSAL, RULE
from features.silver.raw import AIRPORTS, FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.versions import to_repeated_keys, with_repeats_refused
from pipelines.at_once import at_once
from pipelines.bronze import bronze_table
from pipelines.contents import content_of
from pipelines.fingerprint import code_of
from pipelines.keeping import kept, let_go

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import Row

    from pipelines.tables import Tables

QUARANTINE = "quarantine"
ROWS_PER_FILE = 50_000
_NEED_AIRPORTS = (WEATHER, FLIGHTS)
_FILE = (SOURCE_FILE, SOURCE_CHECKSUM)


class ReconciliationError(OntimeError):
    """Rows got lost, or came out twice, between a source file and the tables."""


@dataclass(frozen=True)
class Candidates:
    """The rows of one source on their way to silver.

    Attributes:
        source: The source.
        bronze: Its rows as received.
        rows: The same rows, typed, with their refusal; kept in memory.
        kept: How many go to silver.
        refused: How many go to quarantine.
        content_hash: The content hash that its silver table will have.
    """

    source: str
    bronze: DataFrame
    rows: DataFrame
    kept: int
    refused: int
    content_hash: str


@dataclass(frozen=True)
class SourceFigures:
    """How many rows of a source are in silver and in quarantine, and the hash of its silver."""

    kept: int
    refused: int
    content_hash: str


def silver_table(source: str) -> str:
    """Return the name of the silver table of a source."""
    return f"silver_{source}"


def stale_sources(tables: Tables) -> dict[str, str]:
    """Return the sources whose silver is not of this bronze and this code; each with its new mark.

    A mark is kept as the description of the silver table's commit, which comes after that of
    quarantine: a run that was killed in between leaves the source stale.
    """
    stale: dict[str, str] = {}
    for source, mark in _marks(tables).items():
        name = silver_table(source)
        if not tables.exists(name) or tables.description(name) != mark:
            stale[source] = mark
    return stale


def all_candidates(tables: Tables, sources: Iterable[str]) -> list[Candidates]:
    """Return the candidates of some sources, in the order of ingestion.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    wanted = [source for source in RAW_COLUMNS if source in set(sources)]
    first = [candidates_of(tables, source, None) for source in wanted if source == AIRPORTS]
    airports = to_silver(first[0].rows) if first else None
    # The longest, which comes last, first.
    rest = [source for source in reversed(wanted) if source != AIRPORTS]
    return [*first, *reversed(at_once(lambda one: candidates_of(tables, one, airports), rest))]


def candidates_of(tables: Tables, source: str, airports: DataFrame | None) -> Candidates:
    """Return the candidates of a source, computed, counted and kept in memory.

    Args:
        tables: The tables.
        source: The source.
        airports: Silver airports of this run; None: those of the table.

    Raises:
        ReconciliationError: Not every bronze row of every file is once among the candidates.
    """
    bronze = tables.read(bronze_table(source))
    known = airports
    if known is None:
        known = tables.read(silver_table(AIRPORTS)) if source in _NEED_AIRPORTS else bronze
    rows = _with_repeats(kept(SILVER[source].candidates(bronze, known)), source)
    counts = (F.count("*").alias("rows"), F.count(REFUSAL).alias("refused"))
    came_out = rows.groupBy(*_FILE).agg(*counts).collect()
    received = bronze.groupBy(*_FILE).agg(counts[0]).collect()
    _validate_counts(source, received, came_out)
    content = content_of(to_silver(rows))
    return Candidates(
        source=source,
        bronze=bronze,
        rows=rows,
        kept=content.rows,
        refused=sum(file["refused"] for file in came_out),
        content_hash=content.digest,
    )


def write_silver(
    tables: Tables, candidates: Sequence[Candidates], marks: Mapping[str, str]
) -> None:
    """Write quarantine for all sources in one commit, then the silver table of each."""
    names = ", ".join(f"'{one.source}'" for one in candidates)
    with_refused = [one for one in candidates if one.refused] or candidates[:1]
    refused = [to_quarantine(one.rows, one.bronze, one.source) for one in with_refused]
    tables.replace_where(
        QUARANTINE,
        reduce(DataFrame.unionByName, refused),
        predicate=f"source IN ({names})",
        description=f"ingest: quarantine of {names}",
    )

    def write(one: Candidates) -> None:
        tables.replace(
            silver_table(one.source),
            to_silver(one.rows),
            description=marks[one.source],
            rows_per_file=ROWS_PER_FILE,
        )

    # The longest first.
    at_once(write, sorted(candidates, key=lambda one: -one.kept))


def figures_of(tables: Tables, source: str, candidates: Candidates | None) -> SourceFigures:
    """Return the figures of a source: of its candidates in this run, else of its tables."""
    if candidates is not None:
        return SourceFigures(candidates.kept, candidates.refused, candidates.content_hash)
    name = silver_table(source)
    kept = tables.count(name)
    refused = tables.count(bronze_table(source)) - kept
    return SourceFigures(kept, refused, tables.content_hash(name))


def refused_reasons(tables: Tables, limit: int = 5) -> list[tuple[str, int]]:
    """Return the commonest rules that rows in quarantine break, with an example, and their rows."""
    counted = (
        tables.read(QUARANTINE)
        .groupBy("source", RULE)
        .agg(F.count("*").alias("rows"), F.min(REASON).alias("example"))
        .orderBy(F.desc("rows"), "source", RULE)
        .limit(limit)
    )
    return [
        (f"{row['source']}: {row[RULE]}, such as: {row['example']}", row["rows"])
        for row in counted.collect()
    ]


def _with_repeats(typed: DataFrame, source: str) -> DataFrame:
    """Return the candidates with repeated keys refused; computes and keeps them."""
    table = SILVER[source]
    repeated = kept(to_repeated_keys(typed, table.key))
    rows = typed
    if not repeated.isEmpty():
        rows = kept(with_repeats_refused(typed, repeated, key=table.key, words=table.words))
        rows.count()
        let_go(typed)
    let_go(repeated)
    return rows


def _validate_counts(source: str, received: Sequence[Row], came_out: Sequence[Row]) -> None:
    before, after = (
        {(row[SOURCE_FILE], row[SOURCE_CHECKSUM]): row["rows"] for row in rows}
        for rows in (received, came_out)
    )
    for file in sorted(before.keys() | after.keys()):
        if before.get(file, 0) != after.get(file, 0):
            raise ReconciliationError(
                f"{source}: file {file[0]} has {before.get(file, 0):,} rows in bronze, and "
                f"{after.get(file, 0):,} came out for silver and quarantine: none was written. "
                "Report this: it is a defect of Ontime."
            )


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
