"""Rows of a feature table become the inputs of models, whatever their order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from features.declare import columns as c
from tests.training.world import FEATURES, gold
from training.data.samples import to_sample

if TYPE_CHECKING:
    import pyarrow as pa


def labelled() -> pa.Table:
    rows = gold(days=2)
    return rows.filter(rows[c.LABEL].is_valid())


def test_the_order_of_the_rows_does_not_count() -> None:
    # Given the same rows in two orders
    rows = labelled()
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows)))
    # When both become samples, Then they are the same
    one, other = to_sample(rows, FEATURES), to_sample(shuffled, FEATURES)
    assert one.features.equals(other.features)
    assert one.flights.equals(other.flights)
    assert (one.label == other.label).all()


def test_missing_values_become_nan_and_the_empty_text() -> None:
    # Given rows with missing numbers and texts
    rows = labelled()
    # When they become a sample
    sample = to_sample(rows, FEATURES)
    # Then none of them is null, and as many are missing as before
    assert (sample.features[c.CARRIER] == "").sum() == rows[c.CARRIER].null_count > 0
    assert np.isnan(sample.features["late_before"]).sum() == rows["late_before"].null_count > 0
    assert not sample.features[c.CARRIER].isna().any()


def test_features_come_in_the_requested_order_and_days_are_local_dates() -> None:
    sample = to_sample(labelled(), FEATURES[::-1])
    assert list(sample.features) == [feature.name for feature in FEATURES[::-1]]
    assert sample.days[0] == np.datetime64(dt.date(2013, 1, 1))
    assert len(sample) == len(sample.days) == len(sample.label)
