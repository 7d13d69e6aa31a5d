"""Silver weather: hourly observations at an airport, with their known-at times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features.declare import columns as c
from features.declare.streams import WEATHER_KNOWN_AFTER_MIN
from features.silver.fields import NUMBER, REFUSAL, Field, with_fields
from features.silver.local_time import (
    HOUR_AT,
    HOUR_FIELDS,
    with_hour_checked,
    with_zone,
)
from features.silver.values import minutes_later

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURED = (
    Field(raw="temp", name=c.TEMPERATURE, kind=NUMBER, minimum=-100, maximum=150),
    Field(raw="dewp", name=c.DEW_POINT, kind=NUMBER, minimum=-120, maximum=120),
    Field(raw="humid", name=c.HUMIDITY, kind=NUMBER, minimum=0, maximum=110),
    Field(raw="wind_dir", name=c.WIND_DIRECTION, kind=NUMBER, minimum=0, maximum=360),
    Field(raw="wind_speed", name=c.WIND_SPEED, kind=NUMBER, minimum=0, maximum=250),
    Field(raw="wind_gust", name=c.WIND_GUST, kind=NUMBER, minimum=0, maximum=300),
    Field(raw="precip", name=c.PRECIPITATION, kind=NUMBER, minimum=0, maximum=30),
    Field(raw="pressure", name=c.PRESSURE, kind=NUMBER, minimum=850, maximum=1100),
    Field(raw="visib", name=c.VISIBILITY, kind=NUMBER, minimum=0, maximum=200),
)
FIELDS = (Field(raw="origin", name=c.AIRPORT, required=True), *HOUR_FIELDS, *MEASURED)


def to_weather(bronze: DataFrame, airports: DataFrame) -> DataFrame:
    """Return the candidates for silver weather.

    Grain: as bronze; key: `airport` and `observed_at`, the hour's beginning in UTC. A missing
    measurement is null. `known_at` is the end of the hour.

    Args:
        bronze: Weather as received.
        airports: Silver airports.
    """
    rows = with_zone(with_fields(bronze, FIELDS), airports, column=c.AIRPORT, raw="origin")
    rows = with_hour_checked(rows, zone=f"{c.AIRPORT}_zone").withColumns(
        {
            c.OBSERVED: F.col(HOUR_AT),
            c.KNOWN: minutes_later(F.col(HOUR_AT), F.lit(WEATHER_KNOWN_AFTER_MIN)),
        }
    )
    measured = [field.name for field in MEASURED]
    return rows.select(c.AIRPORT, c.OBSERVED, c.KNOWN, *measured, *c.LINEAGE, REFUSAL)
