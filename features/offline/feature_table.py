"""The columns of the feature table, and its rows for one block of days, without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import MICROSECONDS_PER_MINUTE, to_events, with_nulls
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.streams import LATE_FROM_MIN
from features.offline.kernel import Kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from features.declare.declarations import Feature

_ARROW_TYPES: Final = {
    "string": pa.string(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "float64": pa.float64(),
    "int32": pa.int32(),
}


def gold_columns(features: tuple[Feature, ...] = FEATURES) -> tuple[tuple[str, str], ...]:
    """Return the feature table's columns, each with its type: identity, times, features, label."""
    return (
        (c.FLIGHT_ID, "string"),
        (c.FLIGHT_DATE, "date"),
        (c.SCHEDULED_DEPARTURE, "instant"),
        (c.PREDICTION_TIME, "instant"),
        *((feature.name, feature.dtype) for feature in features),
        (c.LABEL, "int32"),
    )


def gold_arrow_schema(features: tuple[Feature, ...] = FEATURES) -> pa.Schema:
    """Return the feature table's schema in Arrow."""
    return pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in gold_columns(features)])


def features_table(
    flights: pa.Table,
    weather: pa.Table,
    wanted: NDArray[np.bool_],
    *,
    horizon_min: int,
    late_from_min: int = LATE_FROM_MIN,
    features: tuple[Feature, ...] = FEATURES,
) -> pa.Table:
    """Return the feature table's rows for the wanted flights of a block.

    Args:
        flights: Rows of silver_flights: `features.arrays.arrow.FLIGHT_COLUMNS` and the flight date.
        weather: Rows of silver_weather: `features.arrays.arrow.WEATHER_COLUMNS`.
        wanted: Which flights to return, one flag per row of `flights`.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        late_from_min: Arrival delay from which a flight is labelled late.
        features: The features to compute, by default the catalog.

    Returns:
        A table of `gold_arrow_schema(features)`, sorted by scheduled departure.
    """
    if not wanted.any():
        return gold_arrow_schema(features).empty_table()
    kernel = Kernel(*to_events(flights, weather), wanted, horizon_min=horizon_min)
    return table_of(
        kernel, flights, horizon_min=horizon_min, late_from_min=late_from_min, features=features
    )


def table_of(
    kernel: Kernel,
    flights: pa.Table,
    *,
    horizon_min: int,
    late_from_min: int = LATE_FROM_MIN,
    features: tuple[Feature, ...],
) -> pa.Table:
    """Return the feature table's rows that a kernel computes from these flights."""
    schema = gold_arrow_schema(features)
    values = kernel.compute(feature for feature in features if feature.dtype == "float64")
    rows = flights.take(pa.array(kernel.source_rows))
    found = {name: rows[name] for name in rows.column_names}
    found |= {name: with_nulls(array) for name, array in values.items()}
    horizon = pa.scalar(horizon_min * MICROSECONDS_PER_MINUTE, pa.duration("us"))
    found[c.PREDICTION_TIME] = pc.subtract(rows[c.SCHEDULED_DEPARTURE], horizon)
    found[c.LABEL] = pc.greater_equal(rows[c.ARRIVAL_DELAY], late_from_min).cast(pa.int32())
    return pa.table({name: found[name] for name in schema.names}).cast(schema)
