"""The silver tables: how each is derived from bronze, its key and its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from features.declare import columns as c
from features.silver import reference_tables, silver_flights, silver_weather
from features.silver.fields import REASON, REFUSAL, RULE, SINCE
from features.silver.raw import (
    AIRLINES,
    AIRPORTS,
    FLIGHTS,
    PLANES,
    RAW_COLUMNS,
    UNREADABLE,
    WEATHER,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from features.silver.fields import Field

ROW = "row"
SOURCE = "source"


@dataclass(frozen=True, kw_only=True)
class SilverTable:
    """One silver table.

    Attributes:
        candidates: Returns typed rows with refusals from bronze and silver airports.
        key: The columns of its key.
        words: What a key identifies, for reasons of refusals.
        fields: The fields of the source, with their limits.
        day: The column, a date or an instant, whose UTC day and month a row belongs to; empty for
            a table that is small enough to be rebuilt for each new file. Rows of the same key are
            at most a day apart.
    """

    candidates: Callable[[DataFrame, DataFrame], DataFrame]
    key: tuple[str, ...]
    words: str
    fields: tuple[Field, ...]
    day: str = ""


SILVER: Final[Mapping[str, SilverTable]] = {
    AIRPORTS: SilverTable(
        candidates=lambda bronze, _: reference_tables.to_airports(bronze),
        key=(reference_tables.AIRPORT,),
        words="airport",
        fields=reference_tables.AIRPORT_FIELDS,
    ),
    AIRLINES: SilverTable(
        candidates=lambda bronze, _: reference_tables.to_airlines(bronze),
        key=(c.CARRIER,),
        words="airline",
        fields=reference_tables.AIRLINE_FIELDS,
    ),
    PLANES: SilverTable(
        candidates=lambda bronze, _: reference_tables.to_planes(bronze),
        key=(c.TAIL_NUMBER,),
        words="plane",
        fields=reference_tables.PLANE_FIELDS,
    ),
    WEATHER: SilverTable(
        candidates=silver_weather.to_weather,
        key=(c.AIRPORT, c.OBSERVED),
        words="hour",
        fields=silver_weather.FIELDS,
        day=c.KNOWN,
    ),
    FLIGHTS: SilverTable(
        candidates=silver_flights.to_flights,
        key=(c.FLIGHT_ID,),
        words="flight",
        fields=silver_flights.FIELDS,
        day=c.FLIGHT_DATE,
    ),
}


def to_silver(candidates: DataFrame) -> DataFrame:
    """Return the rows of the silver table: the candidates without a refusal."""
    return candidates.where(F.col(REFUSAL).isNull()).drop(REFUSAL)


def to_quarantine(candidates: DataFrame, bronze: DataFrame, source: str) -> DataFrame:
    """Return the refused rows as received, each with its rule and reason.

    Grain: a row for each refused row. `row` is the row as received, as JSON text, or the text of
    the line if it could not be parsed. `refused_at` is the ingestion time of the row itself, or of
    the newer row that supersedes it.

    Args:
        candidates: Rows with their lineage and refusal.
        bronze: The same rows as received.
        source: The name of the source.
    """
    place = [c.SOURCE_FILE, c.SOURCE_CHECKSUM, c.SOURCE_ROW]
    since = F.coalesce(f"{REFUSAL}.{SINCE}", c.INGESTED).alias(c.REFUSED)
    refused = candidates.where(F.col(REFUSAL).isNotNull()).select(
        *place, f"{REFUSAL}.{RULE}", f"{REFUSAL}.{REASON}", since
    )
    received = F.to_json(F.struct(*RAW_COLUMNS[source]), {"ignoreNullFields": "false"})
    return bronze.join(refused, on=place, how="inner").select(
        F.lit(source).alias(SOURCE),
        REASON,
        RULE,
        F.coalesce(F.col(UNREADABLE), received).alias(ROW),
        *c.LINEAGE,
        c.REFUSED,
    )
