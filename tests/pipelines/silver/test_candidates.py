"""Candidates: file after file gives what all files together give, in any order and any pieces."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from features.silver.raw import RAW_COLUMNS
from pipelines.silver.candidates import all_candidates
from pipelines.silver.silver_plan import Candidates, SilverPlan, plan_silver
from pipelines.silver.silver_writer import write_silver
from pipelines.silver.spark_candidates import candidates_of_all_files
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.tables.commit_metadata import (
    BronzeCommit,
    SilverCommit,
    from_description,
    to_description,
)
from pipelines.tables.content_hash import content_hash_of
from pipelines.tables.content_hash_cache import ContentHashCache
from pipelines.tables.delta_tables import Tables
from tests.features.raw_rows import FLIGHT_LINE, WEATHER_LINE, ZONES, raw_frame, received

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession


pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FLIGHT, WEATHER = received("flights", FLIGHT_LINE), received("weather", WEATHER_LINE)
NOWHERE = {"dest": "QQQ"}


def row_of(number: int, day: int, tail: str, *, good: bool = True) -> dict[str, Any]:
    """Return a flight of a January day as received."""
    row = FLIGHT | {"flight": str(number), "day": str(day), "tailnum": tail}
    row["time_hour"] = f"2013-01-{day:02d}T10:00:00Z"
    return row if good else row | NOWHERE


class Arrivals:
    """A home whose bronze gets files without staging; silver and quarantine are updated.

    Args:
        spark: The session.
        home: The home.
        columnar: Whether Arrow computes and writes them; else Spark does.
    """

    def __init__(self, spark: SparkSession, home: Path, *, columnar: bool) -> None:
        self.spark, self.root, self.columnar = spark, str(home / "tables"), columnar
        self.tables = Tables(spark, self.root, columnar=columnar)
        self.hashes = ContentHashCache(self.tables, home)
        self.minutes = 0
        airports = [
            dict.fromkeys(RAW_COLUMNS["airports"], "1") | {"faa": code, "tzone": zone or "NA"}
            for code, zone in ZONES.items()
        ]
        plane = dict.fromkeys(RAW_COLUMNS["planes"], "NA") | {"tailnum": "N1"}
        self.receive("airports", {"airports.csv": airports})
        self.receive("airlines", {"airlines.csv": [{"carrier": "UA", "name": "United"}]})
        self.receive("planes", {"planes.csv": [plane]})
        self.receive("weather", {"weather.csv": [WEATHER]})

    def receive(self, source: str, files: dict[str, list[dict[str, Any]]]) -> None:
        """Append files to bronze, as one ingest."""
        self.minutes += 1
        at = START + dt.timedelta(minutes=self.minutes)
        rows = [
            row
            | {"source_file": name, "source_row": number, "ingested_at": at}
            | {"source_checksum": f"{name} of {self.minutes}"}
            for name, lines in files.items()
            for number, row in enumerate(lines, start=1)
        ]
        self.tables.append_once(
            bronze_table(source),
            raw_frame(self.spark, source, *rows),
            key=f"{source} {self.minutes}",
            description=to_description(BronzeCommit(at, tuple(files))),
        )

    def update(self, tables: Tables | None = None) -> None:
        """Update silver and quarantine; by other tables, if they are given."""
        candidates = all_candidates(self.tables, self.hashes)
        write_silver(tables or self.tables, self.hashes, candidates)
        for one in candidates:
            one.release()

    def commit(self) -> SilverCommit:
        found = from_description(SilverCommit, self.tables.description("silver_flights"))
        assert found is not None
        return found

    def flights(self) -> tuple[DataFrame, DataFrame]:
        """Return silver and quarantine of flights as the tables have them."""
        quarantine = self.tables.read("quarantine").where("source = 'flights'")
        return self.tables.read("silver_flights"), quarantine

    def rebuilt(self) -> tuple[DataFrame, DataFrame]:
        """Return silver and quarantine of flights as computed from all of bronze."""
        found = all_candidates_of_flights(self.tables)
        assert not isinstance(found.silver, pa.Table)
        assert not isinstance(found.refused, pa.Table | None)
        return found.silver, found.refused

    def validate(self) -> None:
        """Compare the tables with a full rebuild, hashes and all."""
        for now, rebuilt in zip(self.flights(), self.rebuilt(), strict=True):
            assert content_hash_of(now).digest == content_hash_of(rebuilt).digest
        assert self.hashes.get("silver_flights") == content_hash_of(self.flights()[0])

    def in_silver(self) -> set[tuple[int, int, str]]:
        """Return number, day and tail number of the flights in silver."""
        rows = self.flights()[0].select("flight_number", F.dayofmonth("flight_date"), "tail_number")
        return {(number, day, tail) for number, day, tail in rows.collect()}


class KilledAfterQuarantine(Tables):
    """Tables of a run that is killed when it has written quarantine."""

    def replace(self, *_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def replace_days(self, *_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def replace_where(
        self, name: str, frame: DataFrame, *, predicate: str, description: str
    ) -> None:
        if name != QUARANTINE:
            raise KeyboardInterrupt
        super().replace_where(name, frame, predicate=predicate, description=description)


def all_candidates_of_flights(tables: Tables) -> Candidates:
    """Return the candidates that all of bronze gives, by Spark."""
    plan = SilverPlan("flights", START, "code", None, "")
    return candidates_of_all_files(tables, plan, tables.read(silver_table("airports")))


columnar = pytest.mark.parametrize("columnar", [True, False], ids=["arrow", "spark"])


@pytest.mark.slow
@columnar
def test_late_corrected_and_repeated_rows_change_only_their_days(
    spark: SparkSession, home: Path, *, columnar: bool
) -> None:
    arrivals = Arrivals(spark, home, columnar=columnar)
    # Given two days of flights
    arrivals.receive(
        "flights", {"a.csv": [row_of(1, 5, "N1"), row_of(2, 5, "N1"), row_of(1, 9, "N1")]}
    )
    arrivals.update()
    assert arrivals.commit().days is None
    # When a late file of an old day arrives, with a bad row, and the same rows once more
    arrivals.receive("flights", {"b.csv": [row_of(3, 2, "N3"), row_of(4, 2, "N3", good=False)]})
    arrivals.receive("flights", {"c.csv": [row_of(1, 5, "N1"), row_of(1, 5, "N1")]})
    arrivals.update()
    # Then only its day has changed, and the tables are those of a full rebuild
    assert arrivals.commit().days == ((dt.date(2013, 1, 2), dt.date(2013, 1, 2)),)
    assert arrivals.in_silver() == {(1, 5, "N1"), (2, 5, "N1"), (1, 9, "N1"), (3, 2, "N3")}
    arrivals.validate()
    # When a correction arrives, the run dies between quarantine and silver, and another arrives
    arrivals.receive("flights", {"d.csv": [row_of(2, 5, "N8"), row_of(9, 30, "N9")]})

    with pytest.raises(KeyboardInterrupt):
        arrivals.update(KilledAfterQuarantine(spark, arrivals.root, columnar=columnar))
    arrivals.receive("flights", {"0.csv": [row_of(2, 5, "N7")]})
    arrivals.update()
    # Then the newest row of the key has won, as in a full rebuild
    assert arrivals.commit().days == (
        (dt.date(2013, 1, 5), dt.date(2013, 1, 5)),
        (dt.date(2013, 1, 30), dt.date(2013, 1, 30)),
    )
    assert {(2, 5, "N7"), (9, 30, "N9")} <= arrivals.in_silver()
    arrivals.validate()
    # And nothing is done when there is nothing new, or nothing good in it
    version = arrivals.tables.version("silver_flights")
    arrivals.update()
    arrivals.receive("flights", {"e.csv": [row_of(1, 5, "N1", good=False)]})
    arrivals.update()
    assert arrivals.tables.version("silver_flights") == version
    arrivals.validate()


@pytest.mark.slow
@columnar
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000))
def test_any_order_split_and_repetition_of_the_files_gives_what_a_full_rebuild_gives(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, *, columnar: bool, seed: int
) -> None:
    # Given rows of many flights: some bad, some the same twice, some with other values
    pick = random.Random(seed)
    rows = [
        (number, pick.randrange(1, 29), f"N{pick.randrange(3)}", pick.random() < 0.9)
        for number in range(40)
        for _ in range(pick.choice([1, 1, 2, 4]))
    ]
    # When they come shuffled and split into files, some of them several times, in four ingests
    arrivals = Arrivals(spark, tmp_path_factory.mktemp("home"), columnar=columnar)
    expected: dict[tuple[int, int], str] = {}
    for step in range(4):
        some = pick.sample(rows, pick.randrange(5, len(rows)))
        cut = pick.randrange(1, len(some))
        files = {"z.csv": some[:cut], f"{pick.choice('abc')}.csv": some[cut:]}
        arrivals.receive(
            "flights",
            {
                name: [row_of(number, day, tail, good=good) for number, day, tail, good in part]
                for name, part in files.items()
            },
        )
        # And by hand: the newest file wins, the last by name of one ingest; in it the first row
        for _, part in sorted(files.items()):
            firsts = {(number, day): tail for number, day, tail, good in reversed(part) if good}
            expected |= firsts
        if step != 1:  # two ingests may come before silver is made
            arrivals.update()
            # Then silver has exactly these, and the tables are those of a full rebuild
            assert arrivals.in_silver() == {(*key, tail) for key, tail in expected.items()}
            arrivals.validate()


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("before", "since", "reason"),
    [
        (None, None, "does not exist yet"),
        (SilverCommit(LATER, "other code"), None, "code or the time zones"),
        (SilverCommit(LATER + dt.timedelta(hours=1), "code"), None, "earlier state"),
        (SilverCommit(NOON, "code"), NOON, "files are new"),
    ],
)
def test_only_new_files_are_read_if_nothing_else_changed(
    before: SilverCommit | None, since: dt.datetime | None, reason: str
) -> None:
    plan = plan_silver("flights", before, until=LATER, fingerprint="code", by_day=True)
    assert plan is not None
    assert (plan.since, plan.until) == (since, LATER)
    assert reason in plan.reason


def test_a_table_that_is_up_to_date_needs_nothing() -> None:
    before = SilverCommit(LATER, "code", ())
    assert plan_silver("flights", before, until=LATER, fingerprint="code", by_day=True) is None


def test_a_forced_run_rebuilds_all_of_it() -> None:
    before = SilverCommit(LATER, "code", ())
    plan = plan_silver("flights", before, until=LATER, fingerprint="code", by_day=True, forced=True)
    assert plan is not None
    assert (plan.since, plan.reason) == (None, "it is forced")


def test_a_table_without_days_is_rebuilt_for_each_file() -> None:
    before = SilverCommit(NOON, "code")
    plan = plan_silver("planes", before, until=LATER, fingerprint="code", by_day=False)
    assert plan is not None
    assert plan.since is None
