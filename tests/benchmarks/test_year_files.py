"""Synthetic source files: they are labelled synthetic, and ingest reads them like any others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml
from pyspark.sql import functions as F

from benchmarks.real_year import real_flights, real_weather
from benchmarks.synthetic_rows import synthetic_flights, synthetic_weather
from benchmarks.year_files import FORMATS
from benchmarks.years import main
from features.declare import columns as c
from features.silver.raw import FLIGHTS, RAW_COLUMNS, WEATHER
from features.silver.silver_tables import SILVER, to_silver
from ontime_base.configuration import conf_folder
from pipelines.settings import SourceSettings
from pipelines.sources.discovery import find_files
from pipelines.sources.staging import StagedFile, stage_file
from tests.pipelines.source_files import INGESTED_AT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

DAYS = 2
YEARS = 2


def made(to: Path, file_format: str) -> Path:
    """Return a folder that the command has filled."""
    days = ["--years", str(YEARS), "--days", str(DAYS), "--seed", "5"]
    main(["--to", str(to), "--format", file_format, *days])
    return to


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("synthetic") / "csv", "csv")


def staged(folder: Path, source: str) -> list[StagedFile]:
    into = folder.parent / f"staged-{source}"
    into.mkdir(exist_ok=True)
    columns = RAW_COLUMNS[source]
    return [
        stage_file(file, columns, into, at=INGESTED_AT)
        for file in find_files([str(folder / source)])
    ]


def test_they_are_labelled_synthetic(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Given the folder / Then its page and every file's name describe the data as synthetic
    page = (folder / "README.md").read_text()
    assert page.startswith("# SYNTHETIC data")
    assert all("synthetic" in file.source.name for file in staged(folder, FLIGHTS))
    # And so does the command
    main(["--to", str(tmp_path), "--days", "1"])
    assert "SYNTHETIC flights, none of which took place" in capsys.readouterr().out
    # And the settings that the page proposes are settings
    proposed = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    assert SourceSettings.model_validate(proposed["sources"]).flights == (str(folder / FLIGHTS),)


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_source_exists_and_is_read(tmp_path: Path, file_format: str) -> None:
    # Given the files in a format / Then each source has rows, and flights a file for each year
    folder = made(tmp_path / file_format, file_format)
    for source in RAW_COLUMNS:
        assert sum(file.rows for file in staged(folder, source)) > 0
    assert len(staged(folder, FLIGHTS)) == YEARS
    assert [path.suffix for path in (folder / WEATHER).iterdir()] == [f".{file_format}"] * YEARS


@pytest.mark.spark
def test_silver_of_them_is_the_synthetic_silver(spark: SparkSession, folder: Path) -> None:
    # Given the files as bronze has them, and the silver that the benchmarks make without files
    rows = bronze(spark, folder, "airports")
    airports = to_silver(SILVER["airports"].candidates(rows, rows))
    years = range(YEARS)
    flights = [synthetic_flights(real_flights(), year=y, seed=5, days=DAYS) for y in years]
    weather = [synthetic_weather(real_weather(), year=y, seed=5, days=DAYS) for y in years]
    for source, expected in ((FLIGHTS, pl.concat(flights)), (WEATHER, pl.concat(weather))):
        # When silver is built from the files
        rows = SILVER[source].candidates(bronze(spark, folder, source), airports)
        # Then no row is refused, and the rows are the same
        assert rows.where(F.col("refusal").isNotNull()).count() == 0
        assert plain(pl.DataFrame(to_silver(rows).toArrow())) == plain(expected)


def bronze(spark: SparkSession, folder: Path, source: str) -> DataFrame:
    paths = [str(file.path) for file in staged(folder, source)]
    return spark.read.parquet(*paths).withColumn(c.INGESTED, F.current_timestamp())


def plain(rows: Any) -> list[dict[str, Any]]:
    """Return rows without lineage, in the order of their keys, in one spelling of numbers."""
    key = [c.FLIGHT_ID] if c.FLIGHT_ID in rows.columns else [c.AIRPORT, c.OBSERVED]
    names = sorted(set(rows.columns) - set(c.LINEAGE))
    floats = pl.selectors.float().round(9)
    found: list[dict[str, Any]] = rows.sort(key).select(names).with_columns(floats).to_dicts()
    return found


def test_the_supplement_of_airports_is_part_of_them(folder: Path) -> None:
    names = {file.source.name for file in staged(folder, "airports")}
    assert names == {"airports.csv", "airports_supplement.csv"}
    assert (conf_folder() / "airports_supplement.csv").exists()
