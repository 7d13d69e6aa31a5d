"""Real rows of the source files, which tests change."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from features.declare.columns import INGESTED, SOURCE_CHECKSUM, SOURCE_FILE, SOURCE_ROW
from features.silver.deduplicate import to_duplicate_keys, with_duplicates_refused
from features.silver.raw import RAW_COLUMNS, UNREADABLE
from features.silver.silver_tables import SILVER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

INGESTED_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

FLIGHT_LINE = (
    "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z"
)
WEATHER_LINE = "EWR,2013,1,1,1,39.02,26.06,59.37,270,10.35702,NA,0,1012,10,2013-01-01T06:00:00Z"
ZONES = {
    "EWR": "America/New_York",
    "JFK": "America/New_York",
    "LGA": "America/New_York",
    "IAH": "America/Chicago",
    "HNL": "Pacific/Honolulu",
    "PHX": "America/Phoenix",
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "CLT": "America/New_York",
    "RDU": "America/New_York",
    "OKC": "America/Chicago",
    "XNA": "America/Chicago",
    "LAX": "America/Los_Angeles",
    "XXX": None,
}


def received(source: str, line: str) -> dict[str, str]:
    """Return a row as received from its line in the CSV file."""
    return dict(zip(RAW_COLUMNS[source], line.split(","), strict=True))


def raw_frame(spark: SparkSession, source: str, *rows: dict[str, Any]) -> DataFrame:
    """Return rows as bronze has them, numbered from 1, of one file unless given otherwise."""
    names = [*RAW_COLUMNS[source], UNREADABLE, SOURCE_FILE, SOURCE_CHECKSUM]
    schema = ", ".join(f"`{name}` string" for name in names)
    schema += f", {SOURCE_ROW} bigint, {INGESTED} timestamp"
    data = []
    for number, row in enumerate(rows, start=1):
        lineage = {SOURCE_FILE: "a.csv", SOURCE_ROW: number, INGESTED: INGESTED_AT}
        full = lineage | row
        full.setdefault(SOURCE_CHECKSUM, f"checksum of {full[SOURCE_FILE]}")
        data.append(tuple(full.get(name) for name in (*names, SOURCE_ROW, INGESTED)))
    return spark.createDataFrame(data, schema)


def raw_flights(spark: SparkSession, *changes: dict[str, Any]) -> DataFrame:
    """Return a real flight as received, once for each dictionary of changes to it."""
    return raw_frame(
        spark, "flights", *(received("flights", FLIGHT_LINE) | change for change in changes)
    )


def silver_airports(spark: SparkSession) -> DataFrame:
    """Return the airports of the tests as silver has them, as far as zones are concerned."""
    return spark.createDataFrame(list(ZONES.items()), "airport string, timezone string")


def refusals(candidates: DataFrame) -> list[tuple[str, str] | None]:
    """Return rule and reason of each row in its order; None for a row that is not refused."""
    rows = candidates.orderBy(F.col(SOURCE_FILE), F.col(SOURCE_ROW)).select("refusal").collect()
    return [row.refusal and (row.refusal.rule, row.refusal.reason) for row in rows]


def silver_candidates(spark: SparkSession, source: str, bronze: DataFrame) -> DataFrame:
    """Return the deduplicated silver candidates of a source."""
    table = SILVER[source]
    typed = table.candidates(bronze, silver_airports(spark))
    duplicates = to_duplicate_keys(typed, table.key)
    return with_duplicates_refused(typed, duplicates, key=table.key, words=table.words)
