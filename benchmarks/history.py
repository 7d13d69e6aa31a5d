"""A home with years of synthetic history, and source files of the days after it.

The first day is ingested, which creates all tables. The years after it are appended to bronze and
silver as ingest would have left them, without its minutes; from then on each day is a file that
passes through all stages.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from benchmarks.raw_rows import RAW
from benchmarks.synthetic_rows import DAYS
from benchmarks.years import write_years
from features.declare import columns as c
from features.offline.blocks import EVERY_DAY
from features.silver.raw import FLIGHTS, UNREADABLE, WEATHER
from pipelines import build_features, ingest
from pipelines.gold.build import plan_gold
from pipelines.gold.feature_table import write_features
from pipelines.runtime.context import RunContext
from pipelines.tables.arrow_files import write_file
from pipelines.tables.commit_metadata import (
    BronzeCommit,
    SilverCommit,
    from_description,
    to_description,
)
from pipelines.tables.content_hash_cache import ContentHashCache

if TYPE_CHECKING:
    from pipelines.settings import PipelineSettings

_FIRST: Final = dt.date(2013, 1, 1)
_ROWS_PER_FILE: Final = 50_000
_DAY: Final = {
    FLIGHTS: pl.col(c.FLIGHT_DATE),
    WEATHER: pl.col(c.KNOWN).dt.date(),
}


@dataclass(frozen=True)
class History:
    """A home with so many years of history, and the days that are still to come.

    Attributes:
        years: How many.
        context: Its tables; its sources are a folder in which each day's file arrives.
        source: The folder of its synthetic years.
        end: The first day that is still to come.
    """

    years: int
    context: RunContext
    source: Path
    end: dt.date

    def arrive(self, day: dt.date) -> None:
        """Put the files of a day, and no others, where sources are read from."""
        for name, raw in RAW.items():
            folder = Path(getattr(self.context.settings.sources, name)[0])
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            rows = raw(_silver(self.source, name).filter(_DAY[name] == day).collect())
            rows.write_csv(folder / f"{name}-{day}.csv", null_value="NA")

    def run_stages(self) -> tuple[float, float, int]:
        """Run both stages; return the seconds of each, and how many rows the feature table has."""
        started = time.perf_counter()
        ingest.run(self.context)
        between = time.perf_counter()
        outcome = build_features.run(self.context)
        ended = time.perf_counter()
        return between - started, ended - between, int(str(outcome.outputs["rows"]))

    def remove(self) -> None:
        """Remove its home: ten years are a gigabyte."""
        shutil.rmtree(self.context.settings.home, ignore_errors=True)


def history(settings: PipelineSettings, years: int, days_to_come: int) -> History:
    """Build a home with years of history and the feature table of all of it."""
    source = settings.home / "bench" / f"years-{years}"
    rows = write_years(source, years=years)
    home = settings.home / "bench" / f"history-{years}-{time.time_ns()}"
    folders = {name: (str(home / "arriving" / name),) for name in RAW}
    sources = settings.sources.model_copy(update=folders)
    context = RunContext(settings.model_copy(update={"home": home, "sources": sources}))
    end = _FIRST + dt.timedelta(days=DAYS * years - days_to_come)
    made = History(years, context, source, end)
    print(f"{years} year(s) of history: {rows:,} SYNTHETIC flights", flush=True)
    made.arrive(_FIRST)
    ingest.run(context)
    for name in RAW:
        _put_in(made, name)
    started = time.perf_counter()
    table = settings.features.table
    plan = plan_gold(context, table)
    write_features(context, table, days=(EVERY_DAY,), commit=plan.commit)
    print(f"  its feature table was built in {time.perf_counter() - started:.1f} s", flush=True)
    hashes = ContentHashCache(context.tables, home)
    for name in (table, *(f"silver_{source}" for source in RAW)):
        hashes.get(name)
    return made


def _put_in(made: History, name: str) -> None:
    """Append what came after the first day and before the end to bronze and silver."""
    tables, root = made.context.tables, made.context.settings.home / "tables"
    commit = from_description(SilverCommit, tables.description(f"silver_{name}"))
    if commit is None:
        raise RuntimeError(f"silver_{name} has no commit metadata")
    day = _DAY[name]
    rows = _silver(made.source, name).filter((day > _FIRST) & (day < made.end)).collect()
    until = commit.until.replace(microsecond=0) + dt.timedelta(seconds=1)
    rows = rows.with_columns(pl.lit(until, pl.Datetime("us", "UTC")).alias(c.INGESTED))
    raw = RAW[name](rows).with_columns(pl.lit(None, pl.String).alias(UNREADABLE))
    bronze = pl.concat([raw, rows.select(c.LINEAGE)], how="horizontal")
    _append(root / f"bronze_{name}", bronze, to_description(BronzeCommit(until, ("synthetic",))))
    _append(root / f"silver_{name}", rows, to_description(SilverCommit(until, commit.fingerprint)))


def _append(folder: Path, rows: pl.DataFrame, description: str) -> None:
    """Append rows to a table, as files of as many rows as ingest writes."""
    table = DeltaTable(str(folder))
    schema = pa.schema(table.schema().to_arrow())
    parts = (rows.slice(start, _ROWS_PER_FILE) for start in range(0, rows.height, _ROWS_PER_FILE))
    adds = [write_file(part.to_arrow().select(schema.names).cast(schema), folder) for part in parts]
    table.create_write_transaction(
        [*adds],
        "append",
        table.schema(),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": description}),
    )


def _silver(source: Path, name: str) -> pl.LazyFrame:
    return pl.scan_parquet(source / f"silver_{name}" / "*.parquet")
