"""Labelled flights in memory: identity, model inputs and label, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.declare import columns as c

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from features.declare.declarations import Feature

IDENTITY: Final = (c.FLIGHT_ID, c.FLIGHT_DATE, c.SCHEDULED_DEPARTURE)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Labelled flights, one row each, in the order of scheduled departure and flight.

    Attributes:
        flights: Who they are: `flight_id`, `flight_date`, `scheduled_departure_at`.
        features: Model inputs by name: float64 with NaN for missing, or text with "" for missing.
        label: 1 if the flight arrived 15 minutes late or more, else 0.
    """

    flights: pd.DataFrame
    features: pd.DataFrame
    label: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The local date of each flight's scheduled departure."""
        dates: NDArray[np.datetime64] = self.flights[c.FLIGHT_DATE].to_numpy("datetime64[D]")
        return dates


def to_sample(rows: pa.Table, features: Sequence[Feature]) -> Sample:
    """Return the labelled rows of a feature table as a sample.

    The rows are sorted, so that the sample, and a model fitted to it, does not depend on the order
    in which a table's files are read.

    Args:
        rows: Rows of the feature table, each with a label.
        features: The model's inputs, in order.
    """
    order = [(c.SCHEDULED_DEPARTURE, "ascending"), (c.FLIGHT_ID, "ascending")]
    rows = rows.sort_by(order)
    inputs = [_without_nulls(rows[feature.name]) for feature in features]
    return Sample(
        flights=rows.select(IDENTITY).to_pandas(),
        features=pa.table(inputs, names=[feature.name for feature in features]).to_pandas(),
        label=rows[c.LABEL].to_numpy().astype(np.int8),
    )


def _without_nulls(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with its missing values as models know them: NaN, or the empty string."""
    return pc.fill_null(column, "" if pa.types.is_string(column.type) else float("nan"))
