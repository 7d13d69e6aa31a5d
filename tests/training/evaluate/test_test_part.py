"""A scored sample has the columns that it is sliced by."""

from __future__ import annotations

import numpy as np

from tests.training.made import part, scored, trained


def test_flights_have_the_probabilities_of_both_models() -> None:
    sample, found = part("test"), scored()
    assert (found.score == trained().model.probabilities(sample.features)).all()
    assert (found.naive == trained().naive.probabilities(sample.features)).all()
    assert (found.label == sample.label).all()
    assert (found.days == sample.days).all()


def test_they_are_sliced_by_origin_carrier_month_and_local_hour() -> None:
    found = scored().properties
    assert set(found) == {"origin", "carrier", "month", "hour"}
    assert set(found["origin"].tolist()) == {"EWR", "JFK"}
    assert set(found["month"].tolist()) == {"2013-01", "2013-02"}
    hours = part("test").features["departure_minute"].to_numpy() // 60
    assert (found["hour"].astype(np.int64) == hours).all()
    assert {len(hour) for hour in found["hour"].tolist()} == {2}
