"""The label of the feature table follows the arrival delay from which a flight is late."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from features.declare import columns as c
from features.offline.feature_table import features_table
from tests.features.real_weeks import real_weeks


def test_another_label_changes_the_label_and_nothing_else() -> None:
    # Given two days of real flights, When they are computed for two labels
    world = real_weeks()
    wanted = np.zeros(world.flights.num_rows, dtype=np.bool_)
    wanted[:1500] = True
    default, other = (
        features_table(
            world.flights,
            world.weather,
            wanted,
            horizon_min=120,
            late_from_min=minutes,
            features=(),
        )
        for minutes in (15, 45)
    )
    # Then all but the label is the same
    assert default.drop_columns([c.LABEL]) == other.drop_columns([c.LABEL])
    # And the label is 1 from that delay on, and unknown for the same flights
    delay = {
        row[c.FLIGHT_ID]: row[c.ARRIVAL_DELAY]
        for row in world.flights.select([c.FLIGHT_ID, c.ARRIVAL_DELAY]).to_pylist()
    }
    for table, minutes in ((default, 15), (other, 45)):
        for row in table.select([c.FLIGHT_ID, c.LABEL]).to_pylist():
            arrived = delay[row[c.FLIGHT_ID]]
            assert row[c.LABEL] == (None if arrived is None else int(arrived >= minutes))
    assert pc.sum(other[c.LABEL]).as_py() < pc.sum(default[c.LABEL]).as_py()
