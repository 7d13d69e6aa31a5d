from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import SILVER
from pipelines.ingest import run
from pipelines.quality.validation import DataQualityError
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext, StageOutcome
from pipelines.settings import load_settings
from pipelines.silver.candidates import ReconciliationError
from pipelines.sources.discovery import SourceError
from pipelines.tables.delta_tables import Tables
from tests.features.raw_rows import FLIGHT_LINE, WEATHER_LINE, received
from tests.pipelines.source_files import csv_text, json_text, written

if TYPE_CHECKING:
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
    """A home with small source files, and stages that run in it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.folder, self.spark = folder, spark
        self.said = io.StringIO()
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

    def write(self, name: str, rows: list[dict[str, Any]]) -> Path:
        text = json_text(rows) if "json" in name else csv_text(rows)
        return written(self.folder / name, text)

    def ingest(self) -> StageOutcome:
        return run(RunContext(self.settings, Console(self.said)).using(spark=self.spark))

    @property
    def tables(self) -> Tables:
        return Tables(self.spark, str(self.settings.home / "tables"))

    def contents(self) -> dict[str, str]:
        names = [f"{layer}_{source}" for layer in ("bronze", "silver") for source in RAW_COLUMNS]
        return {name: self.tables.content_hash(name) for name in (*names, "quarantine")}


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path) -> World:
    return World(spark, tmp_path)


def test_files_come_in_once_and_corrections_replace_what_they_correct(world: World) -> None:
    # Given sources with a flight that is there twice and one to nowhere, as JSON lines
    world.write("flights.csv", [FLIGHT, FLIGHT, FLIGHT | {"flight": "2"}])
    world.write("flights_more.jsonl.gz", [FLIGHT | {"flight": "3", "dest": "QQQ"}])
    # When they are ingested
    outputs = world.ingest().outputs
    # Then every row is in one of silver and quarantine, and that is told
    assert outputs["received"]["flights"] == outputs["new"]["flights"] == 4  # type: ignore[index, call-overload]
    assert outputs["kept"]["flights"] == outputs["quarantine"]["flights"] == 2  # type: ignore[index, call-overload]
    assert sorted(outputs["reasons"]) == [  # type: ignore[arg-type, type-var]
        [f"flights: duplicate_key, such as: {CAME_FIRST}", 1],
        [f"flights: unknown_airport, such as: {NOWHERE}", 1],
    ]
    assert "flights: 4 rows of flights.csv, flights_more.jsonl.gz" in world.said.getvalue()
    pages = (world.settings.home / "reports" / "data_docs").glob("silver_*.met.html")
    assert len(list(pages)) == len(RAW_COLUMNS)
    hashes: Any = outputs["silver"]
    assert hashes["flights"] == world.tables.content_hash("silver_flights")
    # When nothing is new
    before = world.contents()
    again = world.ingest().outputs
    # Then nothing changes
    assert set(again["new"].values()) == {0}  # type: ignore[union-attr]
    assert again["silver"] == outputs["silver"]
    assert world.contents() == before
    assert world.tables.version("silver_flights") == 0
    # When a newer file corrects a flight
    world.write("flights_z.csv", [FLIGHT | {"tailnum": "N2"}])
    third = world.ingest().outputs
    # Then the correction is in silver, and what it corrects in quarantine
    rows = world.tables.read("silver_flights").collect()
    assert {(row.flight_number, row.tail_number) for row in rows} == {(1545, "N2"), (2, "N14228")}
    assert (third["new"]["flights"], third["kept"]["flights"]) == (1, 2)  # type: ignore[index, call-overload]
    assert world.tables.version("silver_weather") == 0
    refused = world.tables.read("quarantine").where("rule = 'superseded'").collect()
    assert [row.reason for row in refused] == [
        "The newer file flights_z.csv has this flight too, in row 1."
    ]
    assert json.loads(refused[0].row)["tailnum"] == "N14228"


@pytest.mark.slow
def test_a_run_that_died_between_two_commits_is_completed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given what an undisturbed run leaves
    other = World(world.spark, world.folder / "other")
    other.ingest()
    # Given runs that die among the commits of bronze, before those of silver and among them
    whole = Tables._save  # noqa: SLF001 - where every commit passes, to die after one
    for name in ("bronze_weather", "quarantine", "silver_weather"):

        def dies(self: Tables, table: str, *rest: Any, last: str = name) -> None:
            whole(self, table, *rest)
            if table == last:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Tables, "_save", dies)
            with pytest.raises(KeyboardInterrupt):
                world.ingest()
    # When the next one is not disturbed
    world.ingest()
    # Then the content is the same, and no file came in twice
    assert world.contents() == other.contents()
    assert {world.tables.version(f"bronze_{source}") for source in RAW_COLUMNS} == {0}


def test_a_broken_file_stops_the_run_and_leaves_the_tables(world: World) -> None:
    written(world.folder / "flights_broken.csv.gz", csv_text()).write_bytes(b"oops")

    with pytest.raises(SourceError, match=r"flights_broken\.csv\.gz is damaged"):
        world.ingest()
    assert not world.tables.exists("bronze_flights")
    assert not (world.settings.home / "staging").exists()


def test_a_file_with_nothing_good_in_it_does_not_reach_silver(world: World) -> None:
    world.write("flights.csv", [FLIGHT | {"dest": "QQQ"}])

    sentence = r"Table silver_flights does not meet expect_table_row_count_to_be_between"
    with pytest.raises(DataQualityError, match=sentence):
        world.ingest()
    assert not world.tables.exists("silver_flights")


def test_columns_that_are_not_known_are_left_out_and_told(world: World) -> None:
    world.write("flights.csv", [FLIGHT | {"gate": "B7"}])

    world.ingest()

    assert (
        "ignoring columns of flights.csv that Ontime does not know: gate" in world.said.getvalue()
    )
    assert "gate" not in world.tables.read("bronze_flights").columns


def test_a_row_that_gets_lost_stops_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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
