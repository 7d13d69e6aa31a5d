"""Files of the New York data and of the statistics bureau in one folder make one silver table."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from features.declare.columns import LINEAGE
from features.silver.raw import RAW_COLUMNS
from features.silver.silver_tables import SILVER, to_silver
from ontime_base.configuration import conf_folder
from pipelines.sources.discovery import find_files
from pipelines.sources.staging import stage_file
from tests.pipelines.bts_files import MONTHLY, SELECTED, bts_csv, monthly_zip
from tests.pipelines.conftest import first_days, package_file
from tests.pipelines.source_files import INGESTED_AT, csv_text, written
from tests.pipelines.test_ingest import World

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
MONTH = "On_Time_Reporting_Carrier_On_Time_Performance_(1987_present)_2013_1.zip"


def three_days() -> list[list[dict[str, Any]]]:
    rows = list(first_days("flights.csv.zip"))
    return [[row for row in rows if row["day"] == day] for day in ("1", "2", "13")]


def without_lineage(silver: DataFrame) -> list[Any]:
    names = [name for name in silver.columns if name not in LINEAGE]
    return sorted(silver.select(*names).collect(), key=lambda row: row.flight_id)


def test_mixed_sources_give_the_silver_of_the_new_york_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    # Given three real days: one as the New York data has it, two in the bureau's layouts
    world = World(spark, tmp_path)
    shutil.copy(package_file("airports.csv"), tmp_path / "airports.csv")
    shutil.copy(conf_folder() / "airports_supplement.csv", tmp_path / "airports_supplement.csv")
    days = three_days()
    world.write("flights.csv", days[0])
    monthly_zip(tmp_path / f"flights_{MONTH}", bts_csv(days[1], MONTHLY, others=100))
    written(tmp_path / "flights_T_ONTIME.csv.gz", bts_csv(days[2], SELECTED, others=7))
    # When they are ingested together
    outputs = world.ingest()
    # Then rows of other airports are counted, and all others are in silver or quarantine
    report = world.output.getvalue()
    assert f"{len(days[1])} rows are taken, 100 of other airports" in report
    assert (
        f"is BTS on-time performance: {len(days[2])} rows are taken, 7 of other airports" in report
    )
    assert '"not_ours":107' in world.tables.description("bronze_flights")
    assert outputs["received"]["flights"] == sum(len(day) for day in days)
    # And silver is, value by value, that of the New York data alone
    plain = written(tmp_path / "plain" / "flights.csv", csv_text([r for day in days for r in day]))
    (file,) = find_files([str(plain)])
    staged = stage_file(file, RAW_COLUMNS["flights"], tmp_path / "plain", at=INGESTED_AT)
    bronze = spark.read.parquet(str(staged.path))
    airports = world.tables.read("silver_airports")
    expected = without_lineage(to_silver(SILVER["flights"].candidates(bronze, airports)))
    found = without_lineage(world.tables.read("silver_flights"))
    assert found == expected
    assert {row.status for row in found} == {"arrived", "cancelled", "diverted"}
