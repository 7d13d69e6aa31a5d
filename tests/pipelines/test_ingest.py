from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import SILVER
from pipelines.ingest import run
from pipelines.quality.validation import DataQualityError
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.silver.silver_plan import ReconciliationError
from pipelines.sources.discovery import SourceError
from pipelines.tables.delta_tables import Tables
from tests.features.raw_rows import FLIGHT_LINE, WEATHER_LINE, received
from tests.pipelines.source_files import csv_text, json_text, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

AIRPORT = dict(
    zip(
        RAW_COLUMNS["airports"],
        ["JFK", "JFK", "40.6", "-73.8", "13", "-5", "A", "America/New_York"],
        strict=True,
    )
)
CAME_FIRST = "Row 1 of the same file is this flight too, and came first."
NOWHERE = "dest is 'QQQ', which is not in the airports table."
FLIGHT, WEATHER = received("flights", FLIGHT_LINE), received("weather", WEATHER_LINE)


class World:
    """A home with small source files, and the stage that ingests them.

    Args:
        spark: The session.
        folder: Where the home and the source files are; files are written if there are none.
        columnar: Whether Arrow computes and writes the tables; else Spark does.
    """

    def __init__(self, spark: SparkSession, folder: Path, *, columnar: bool = True) -> None:
        self.folder, self.spark, self.columnar = folder, spark, columnar
        self.output = io.StringIO()
        if not (folder / "flights.csv").exists():
            airports = [AIRPORT, AIRPORT | {"faa": "EWR"}]
            airports.append(AIRPORT | {"faa": "IAH", "tzone": "America/Chicago"})
            self.write("airports.csv", airports)
            self.write("airlines.csv", [{"carrier": "UA", "name": "United"}])
            plane = dict.fromkeys(RAW_COLUMNS["planes"], "NA") | {"tailnum": "N14228"}
            self.write("planes.csv", [plane])
            self.write("weather.csv", [WEATHER])
            self.write("flights.csv", [FLIGHT])
        sources = {source: (str(folder / f"{source}*"),) for source in RAW_COLUMNS}
        settings = load_settings("dev")
        self.settings = settings.model_copy(
            update={
                "home": folder / "home",
                "sources": settings.sources.model_copy(update=sources),
            }
        )
        self.tables = Tables(spark, str(self.settings.home / "tables"), columnar=columnar)

    def write(self, name: str, rows: list[dict[str, Any]]) -> Path:
        text = json_text(rows) if "json" in name else csv_text(rows)
        return written(self.folder / name, text)

    def ingest(self, tables: Tables | None = None) -> Mapping[str, Any]:
        """Run the stage, with other tables if they are given; return its outputs."""
        context = RunContext(self.settings, Console(self.output))
        tables = tables or self.tables
        return run(context.using(spark=self.spark, tables=tables)).outputs

    def copy(self, folder: Path) -> World:
        """Return a copy of home and source files."""
        shutil.copytree(self.folder, folder)
        return World(self.spark, folder, columnar=self.columnar)

    def contents(self) -> dict[str, str]:
        names = [f"{layer}_{source}" for layer in ("bronze", "silver") for source in RAW_COLUMNS]
        return {name: self.tables.content_hash(name) for name in (*names, "quarantine")}


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path) -> World:
    return World(spark, tmp_path)


@pytest.fixture(scope="module")
def ingested(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Mapping[str, Any]]:
    """A world that is ingested, and the outputs: only read, or copied.

    It has a flight twice and one to an unknown airport as JSON lines, and an unknown column.
    """
    world = World(spark, tmp_path_factory.mktemp("ingested"))
    flights = [FLIGHT, FLIGHT, FLIGHT | {"flight": "2"}]
    world.write("flights.csv", [row | {"gate": "B7"} for row in flights])
    world.write("flights_more.jsonl.gz", [FLIGHT | {"flight": "3", "dest": "QQQ"}])
    return world, world.ingest()


def test_every_row_is_in_silver_or_in_quarantine(
    ingested: tuple[World, Mapping[str, Any]],
) -> None:
    # Given files that are ingested / Then every row is in one of silver and quarantine
    world, outputs = ingested
    assert outputs["received"]["flights"] == outputs["new"]["flights"] == 4
    assert outputs["kept"]["flights"] == outputs["quarantine"]["flights"] == 2
    assert sorted(outputs["reasons"]) == [
        [f"flights: duplicate_key, such as: {CAME_FIRST}", 1],
        [f"flights: unknown_airport, such as: {NOWHERE}", 1],
    ]
    assert outputs["silver"]["flights"] == world.tables.content_hash("silver_flights")
    # And the files are reported, and each silver table has its page of the data docs
    assert "flights: 4 rows of flights.csv, flights_more.jsonl.gz" in world.output.getvalue()
    pages = (world.settings.home / "reports" / "data_docs").glob("silver_*.met.html")
    assert len(list(pages)) == len(RAW_COLUMNS)


def test_spark_alone_gives_the_same_tables_and_reasons(
    ingested: tuple[World, Mapping[str, Any]], tmp_path: Path
) -> None:
    # Given a world that Arrow ingested / When Spark alone ingests the same files
    world, outputs = ingested
    shutil.copytree(world.folder, tmp_path / "other", ignore=shutil.ignore_patterns("home"))
    other = World(world.spark, tmp_path / "other", columnar=False)
    again = other.ingest()
    # Then tables, hashes, counts and reasons are the same
    assert other.contents() == world.contents()
    ours, theirs = dict(outputs), dict(again)
    del ours["data_docs"], theirs["data_docs"]
    assert ours == theirs


@pytest.mark.slow
def test_arrow_and_spark_go_on_with_the_tables_of_the_other(
    ingested: tuple[World, Mapping[str, Any]], tmp_path: Path
) -> None:
    # Given a world that Arrow ingested, and one that Spark alone did
    world, _ = ingested
    shutil.copytree(world.folder, tmp_path / "other", ignore=shutil.ignore_patterns("home"))
    other = World(world.spark, tmp_path / "other", columnar=False)
    other.ingest()
    # When a late file with a correction is ingested the other way, in a folder with blanks
    contents = []
    for before, columnar in ((other, True), (world, False)):
        folder = tmp_path / f"ü {columnar}"
        shutil.copytree(before.folder, folder)
        later = World(world.spark, folder, columnar=columnar)
        later.write("flights_x.csv", [FLIGHT | {"tailnum": "N1"}, FLIGHT | {"flight": "9"}])
        later.ingest()
        assert later.tables.count("silver_flights") == later.tables.count("quarantine") == 3
        contents.append(later.contents())
    # Then the tables are the same
    assert contents[0] == contents[1]


def test_unknown_columns_are_left_out_and_reported(
    ingested: tuple[World, Mapping[str, Any]],
) -> None:
    world, _ = ingested
    sentence = "ignoring columns of flights.csv that Ontime does not know: gate"
    assert sentence in world.output.getvalue()
    assert "gate" not in world.tables.read("bronze_flights").columns


def test_a_file_is_ingested_once_and_a_newer_one_corrects_it(
    ingested: tuple[World, Mapping[str, Any]], tmp_path: Path
) -> None:
    # Given a home with ingested files / When they are ingested again
    world = ingested[0].copy(tmp_path / "copy")
    before = world.contents()
    again = world.ingest()
    # Then nothing changes
    assert set(again["new"].values()) == {0}
    assert again["silver"] == ingested[1]["silver"]
    assert world.contents() == before
    assert world.tables.version("silver_flights") == 0
    # When a newer file corrects a flight
    world.write("flights_z.csv", [FLIGHT | {"tailnum": "N2"}])
    third = world.ingest()
    # Then the correction is in silver, and what it corrects in quarantine
    rows = world.tables.read("silver_flights").collect()
    assert {(row.flight_number, row.tail_number) for row in rows} == {(1545, "N2"), (2, "N14228")}
    assert (third["new"]["flights"], third["kept"]["flights"]) == (1, 2)
    assert world.tables.version("silver_weather") == 0
    superseded = world.tables.read("quarantine").where("rule = 'superseded'").collect()
    assert [row.reason for row in superseded] == [
        "The newer file flights_z.csv has this flight too, in row 1."
    ]
    assert json.loads(superseded[0].row)["tailnum"] == "N14228"


class KilledAfter(Tables):
    """Tables of a run that is killed as soon as it has written one of them."""

    def __init__(self, world: World, last: str) -> None:
        columnar = world.columnar
        super().__init__(world.spark, str(world.settings.home / "tables"), columnar=columnar)
        self._last = last

    def _dies(self, name: str) -> None:
        if name == self._last:
            raise KeyboardInterrupt

    def append_files_once(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().append_files_once(name, *args, **kwargs)
        self._dies(name)

    def replace(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().replace(name, *args, **kwargs)
        self._dies(name)

    def replace_days(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().replace_days(name, *args, **kwargs)
        self._dies(name)

    def rewrite_since(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().rewrite_since(name, *args, **kwargs)
        self._dies(name)

    def replace_where(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().replace_where(name, *args, **kwargs)
        self._dies(name)


@pytest.mark.slow
@pytest.mark.parametrize("columnar", [True, False], ids=["arrow", "spark"])
def test_a_run_that_died_between_two_commits_is_completed(
    spark: SparkSession, tmp_path: Path, *, columnar: bool
) -> None:
    # Given what an undisturbed run leaves
    world = World(spark, tmp_path / "one", columnar=columnar)
    other = World(spark, tmp_path / "other", columnar=columnar)
    other.ingest()
    # Given runs that die among the commits of bronze, before those of silver and among them
    for name in ("bronze_weather", "quarantine", "silver_weather"):
        with pytest.raises(KeyboardInterrupt):
            world.ingest(KilledAfter(world, name))
    # When the next one is not disturbed
    world.ingest()
    # Then the content is the same, and no file was ingested twice
    assert world.contents() == other.contents()
    assert {world.tables.version(f"bronze_{source}") for source in RAW_COLUMNS} == {0}


def test_a_broken_file_stops_the_run_and_leaves_the_tables(world: World) -> None:
    written(world.folder / "flights_broken.csv.gz", csv_text()).write_bytes(b"oops")

    with pytest.raises(SourceError, match=r"flights_broken\.csv\.gz is damaged"):
        world.ingest()
    assert not world.tables.exists("bronze_flights")
    assert not (world.settings.home / "staging").exists()


def test_a_file_without_valid_rows_does_not_reach_silver(world: World) -> None:
    world.write("flights.csv", [FLIGHT | {"dest": "QQQ"}])

    sentence = r"Table silver_flights does not meet expect_table_row_count_to_be_between"
    with pytest.raises(DataQualityError, match=sentence):
        world.ingest()
    assert not world.tables.exists("silver_flights")


def test_a_lost_row_stops_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a defect by which a row of a file does not come out
    world.write("flights.csv", [FLIGHT, FLIGHT | {"flight": "2"}])
    table = SILVER["flights"]

    def loses(bronze: DataFrame, airports: DataFrame) -> DataFrame:
        return table.candidates(bronze, airports).where("source_row <> 2")

    monkeypatch.setitem(SILVER, "flights", replace(table, candidates=loses))
    # When it is ingested / Then nothing is written
    sentence = r"flights: file flights\.csv has 2 rows in bronze, and 1 came out"
    with pytest.raises(ReconciliationError, match=sentence):
        world.ingest()
    assert not world.tables.exists("silver_airports")
