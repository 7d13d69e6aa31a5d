"""From silver to the online store: the state of every entity key, and the network of airports."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from features import columns as c
from features.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.online_items import DAYS_NEEDED, online_items
from serving.network import Network, write_network
from serving.stores.online import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame

    from pipelines.tables import Tables

BATCH = 2_000


def materialize(tables: Tables, database: Path, *, retain_days: int, horizon_min: int) -> int:
    """Fill the online store from the silver tables; return how many items were stored.

    Args:
        tables: Where silver is.
        database: The file of the online store; items of keys that are in silver are replaced.
        retain_days: For how many days before the end of the data features can be asked for.
        horizon_min: Minutes from the prediction time to the scheduled departure.
    """
    flights, weather = tables.read("silver_flights"), tables.read("silver_weather")
    last = flights.agg(F.max(c.SCHEDULED_DEPARTURE)).first()
    days = F.make_dt_interval(F.lit(retain_days + DAYS_NEEDED))
    since = F.lit(last[0] if last else None) - days
    items = online_items(
        flights.where(F.col(c.SCHEDULED_DEPARTURE) >= since).select(*FLIGHT_COLUMNS).toArrow(),
        weather.where(F.col(c.KNOWN) >= since).select(*WEATHER_COLUMNS).toArrow(),
        retain_days=retain_days,
        horizon_min=horizon_min,
    )
    stored = 0
    with closing(SqliteOnlineStore(database)) as store:
        for batch in _batches(items):
            store.put_many(batch)
            stored += len(batch)
        write_network(store, network_of(flights, tables.read("silver_airports")))
    return stored


def network_of(flights: DataFrame, airports: DataFrame) -> Network:
    """Return the airports with a known time zone, the origins, and the distance of each route."""
    known_zones = airports.where(F.col("timezone").isNotNull()).orderBy(c.AIRPORT)
    zones = known_zones.select(c.AIRPORT, "timezone").collect()
    routes = flights.groupBy(c.ORIGIN, c.DESTINATION).agg(F.max(c.DISTANCE).alias(c.DISTANCE))
    known = routes.where(F.col(c.DISTANCE).isNotNull()).orderBy(c.ORIGIN, c.DESTINATION).collect()
    return Network(
        time_zones={row[c.AIRPORT]: row["timezone"] for row in zones},
        origins=sorted({row[c.ORIGIN] for row in known}),
        distances_mi={f"{row[c.ORIGIN]}-{row[c.DESTINATION]}": row[c.DISTANCE] for row in known},
    )


def _batches(items: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    remaining = iter(items)
    while batch := dict(islice(remaining, BATCH)):
        yield batch
