"""Every declaration of the catalog, checked against streams, tables and real weeks."""

from __future__ import annotations

import inspect
import keyword
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.arrays.arrow import FLIGHT_INSTANTS, FLIGHT_INTEGERS, FLIGHT_TEXTS
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import (
    LOCAL_HOUR,
    MAX_WINDOW_DAYS,
    MAX_WINDOW_MIN,
    Days,
    Feature,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
)
from features.declare.streams import COUNT, STREAMS, known_when, measure_of
from features.offline.feature_table import features_table, gold_columns
from tests.features.real_weeks import real_weeks

FAMILIES = {"schedule", "calendar", "weather", "recent", "history", "tail"}
SCHEDULE = {
    c.SCHEDULED_DEPARTURE,
    c.SCHEDULED_ARRIVAL,
    c.ORIGIN_OFFSET,
    c.DESTINATION_OFFSET,
    c.DISTANCE,
    c.PREDICTION_TIME,
}
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)


@lru_cache
def real_features() -> pa.Table:
    data = real_weeks()
    everything = np.ones(len(data.flights), dtype=np.bool_)
    return features_table(data.flights, data.weather, everything, horizon_min=120)


def test_names_are_unique_also_among_the_columns_of_the_table() -> None:
    # Given the columns of the feature table / Then none is present twice
    names = [name for name, _ in gold_columns()]
    assert len(set(names)) == len(names)


@every_feature
def test_a_declaration_is_complete(feature: Feature) -> None:
    # Given a feature / Then its name can be a column and an identifier
    assert feature.name.isidentifier()
    assert feature.name == feature.name.lower()
    assert not keyword.iskeyword(feature.name)
    # And its documentation exists
    assert feature.family in FAMILIES
    assert feature.unit
    assert feature.null
    assert feature.definition.endswith(".")
    assert known_when(feature).endswith(("published schedule", "before the prediction time"))
    # And its range is not empty
    if feature.minimum is not None and feature.maximum is not None:
        assert feature.minimum < feature.maximum


@every_feature
def test_every_input_resolves(feature: Feature) -> None:
    # Given a feature / Then its function takes as many arguments as it has inputs
    inspect.signature(feature.compute).bind(*feature.inputs)
    for item in feature.inputs:
        if isinstance(item, Own):
            # And of the flight itself it reads the schedule, and nothing of the outcome
            assert item.column in (FLIGHT_TEXTS if feature.dtype == "string" else SCHEDULE)
            continue
        # And streams, measures and key columns exist
        stream = STREAMS[item.stream]
        keys = {c.ORIGIN} if stream.table == "weather" else {*FLIGHT_TEXTS, c.FLIGHT_NUMBER}
        assert set(item.entity) <= {*keys, LOCAL_HOUR}
        if item.measure != COUNT:
            measure_of(stream, item.measure)


@every_feature
def test_what_is_summed_is_an_integer(feature: Feature) -> None:
    # Given a feature / Then its totals are exact in every order of the rows
    for item in feature.inputs:
        if isinstance(item, Sum | OpenIntervals) and item.measure != COUNT:
            measure = measure_of(STREAMS[item.stream], item.measure)
            assert measure.column in (*FLIGHT_INSTANTS, *FLIGHT_INTEGERS)


@every_feature
def test_windows_end_at_the_prediction_and_look_back_a_bounded_time(feature: Feature) -> None:
    # Given a feature / Then each input looks back no further than a block brings with it
    for item in feature.inputs:
        assert days_back(item) <= MAX_WINDOW_DAYS
        assert minutes_back(item) <= MAX_WINDOW_MIN
        # And only published schedules are read past the prediction time
        if looks_ahead(item):
            assert isinstance(item, Sum | Latest)
            assert STREAMS[item.stream].published
        # And open intervals are read from a stream of intervals
        assert not isinstance(item, OpenIntervals) or STREAMS[item.stream].until


def days_back(item: Input) -> int:
    match item:
        case Sum(window=Days(count=count)):
            return count
    return 0


def minutes_back(item: Input) -> int:
    match item:
        case Latest():
            return item.within_min + item.ago_min
        case Sum(window=Minutes(before=before)):
            return before
    return 0


def looks_ahead(item: Input) -> bool:
    if isinstance(item, Latest):
        return item.anchor == "departure" or item.ago_min < 0
    if not isinstance(item, Sum) or isinstance(item.window, Days):
        return False
    if isinstance(item.window, Minutes):
        return item.window.anchor == "departure" or item.window.after > 0
    return True


@every_feature
def test_ranges_and_null_meanings_hold_on_real_weeks(feature: Feature) -> None:
    # Given a feature of all flights of some weeks
    values = real_features()[feature.name]
    # Then it is present for some of them, and differs between them
    assert pc.count_distinct(values).as_py() > 1
    # And for all of them where it is never missing
    assert not feature.null.startswith("never missing") or values.null_count == 0
    # And in its range
    if feature.dtype == "float64":
        assert not pc.any(pc.is_nan(values)).as_py()
        low, high = pc.min_max(values).as_py().values()
        assert feature.minimum is None or low >= feature.minimum
        assert feature.maximum is None or high <= feature.maximum
