"""Hypothesis strategies of small silver tables."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from features.declare import columns as c
from tests.features.factories import flight, observation


@st.composite
def silver_rows(
    draw: st.DrawFn, *, earliest: int = -20
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw a few days of flights that share keys, minutes and aircraft, and their weather."""
    minutes = st.integers(0, 5 * 1440)
    drawn: list[dict[str, Any]] = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "departs": minutes,
                    "delay": st.none() | st.integers(earliest, 900),
                    "late": st.none() | st.integers(-60, 900),
                    c.CARRIER: st.sampled_from(["AA", "B6"]),
                    c.FLIGHT_NUMBER: st.integers(1, 3),
                    c.TAIL_NUMBER: st.sampled_from([None, "N1", "N2"]),
                    c.ORIGIN: st.sampled_from(["JFK", "EWR"]),
                    c.DESTINATION: st.sampled_from(["LAX", "SFO"]),
                }
            ),
            min_size=1,
            max_size=25,
            unique_by=lambda row: (row[c.CARRIER], row[c.FLIGHT_NUMBER], row["departs"] // 60),
        )
    )
    observed = draw(
        st.lists(
            st.tuples(minutes, st.sampled_from(["JFK", "EWR"]), st.none() | st.floats(0, 10)),
            max_size=10,
            unique_by=lambda row: row[:2],
        )
    )
    weather = [observation(known, airport, visibility_mi=v) for known, airport, v in observed]
    return [flight(**row) for row in drawn], weather
