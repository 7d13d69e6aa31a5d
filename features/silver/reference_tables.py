"""Silver planes, airports and airlines: the reference tables."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from pyspark.sql import functions as F

from features.declare.columns import CARRIER, TAIL_NUMBER
from features.silver.fields import NUMBER, WHOLE, Field, with_fields, with_rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

AIRPORT = "airport"
NAME = "name"
TIME_ZONE = "timezone"

PLANE_FIELDS = (
    Field(raw="tailnum", name=TAIL_NUMBER, required=True),
    Field(raw="year", name="year", kind=WHOLE, minimum=1900, maximum=2100),
    Field(raw="type", name="type"),
    Field(raw="manufacturer", name="manufacturer"),
    Field(raw="model", name="model"),
    Field(raw="engines", name="engines", kind=WHOLE, minimum=0, maximum=12),
    Field(raw="seats", name="seats", kind=WHOLE, minimum=0, maximum=1000),
    Field(raw="speed", name="speed", kind=WHOLE, minimum=0, maximum=2000),
    Field(raw="engine", name="engine"),
)
AIRPORT_FIELDS = (
    Field(raw="faa", name=AIRPORT, required=True),
    Field(raw="name", name=NAME),
    Field(raw="lat", name="latitude", kind=NUMBER, required=True, minimum=-90, maximum=90),
    Field(raw="lon", name="longitude", kind=NUMBER, required=True, minimum=-180, maximum=180),
    Field(raw="alt", name="altitude_ft", kind=WHOLE, minimum=-1500, maximum=20_000),
    Field(raw="tzone", name=TIME_ZONE),
)
AIRLINE_FIELDS = (
    Field(raw="carrier", name=CARRIER, required=True),
    Field(raw="name", name=NAME, required=True),
)


def to_planes(bronze: DataFrame) -> DataFrame:
    """Return the candidates for silver planes. Grain: as bronze; key: `tail_number`."""
    return with_fields(bronze, PLANE_FIELDS)


def to_airports(bronze: DataFrame) -> DataFrame:
    """Return the candidates for silver airports. Grain: as bronze; key: `airport`.

    The time zone is an IANA name, or null where the source has none.
    """
    return with_rule(
        with_fields(bronze, AIRPORT_FIELDS),
        "unknown_time_zone",
        ~F.col(TIME_ZONE).isin(*sorted(available_timezones())),
        "tzone is '", F.col(TIME_ZONE), "', which is not the IANA name of a time zone.",
    )  # fmt: skip


def to_airlines(bronze: DataFrame) -> DataFrame:
    """Return the candidates for silver airlines. Grain: as bronze; key: `carrier`."""
    return with_fields(bronze, AIRLINE_FIELDS)
