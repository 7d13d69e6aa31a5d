"""The same model under other conditions: evaluated the same way, on the same flights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipelines.study import variants
from pipelines.study.variants import SHARES, by_flights, measure_variant, some_days, without_tail
from tests.pipelines.real_parts import TRAINING, context_at, real_part
from training.data.samples import Sample

if TYPE_CHECKING:
    from pathlib import Path


def test_a_variant_without_the_tail_number_has_fewer_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given 26 real days
    monkeypatch.setattr(variants, "read_part", lambda _, part: real_part(part))
    context = context_at(tmp_path)
    # When the model is measured with and without the tail number
    bare, whole = (
        measure_variant(context, settings, name="x", title="a variant")
        for settings in (without_tail(TRAINING), TRAINING)
    )
    # Then both are evaluated on the same flights, and one has fewer features
    assert bare.features < whole.features
    assert bare.naive == whole.naive
    assert bare.horizon_min == whole.horizon_min == 120
    assert 0.5 < bare.auc.value != whole.auc.value
    assert bare.slices == whole.slices > 0


def test_leaving_the_tail_out_twice_is_leaving_it_out() -> None:
    assert without_tail(without_tail(TRAINING)).without_families == ("tail",)


def test_some_days_are_whole_days_spread_evenly() -> None:
    sample = real_part("train")
    few = some_days(sample, 0.25)
    days, chosen = np.unique(sample.days), np.unique(few.days)
    assert chosen.size == round(0.25 * days.size)
    assert {days[0], days[-1]} <= set(chosen)
    assert len(few) == int(np.isin(sample.days, chosen).sum()) == len(few.features)


def test_the_curve_by_flights_ends_with_the_whole_part() -> None:
    train, validate = real_part("train"), real_part("validate")
    points = by_flights(train, validate, TRAINING, whole=0.7)
    assert len(points) == len(SHARES) + 1
    assert points[-1].flights == len(train)
    assert points[-1].validate_auc == pytest.approx(0.7)
    assert [point.flights for point in points] == sorted(point.flights for point in points)
    assert all(0.5 < point.validate_auc < 1 for point in points)


def test_a_feature_without_values_on_those_days_is_left_out() -> None:
    # Given days on which nothing is known of one feature
    train = real_part("train")
    features = train.features.assign(temperature=np.nan)
    blind = Sample(train.flights, features, train.label)
    # When models learn from some of them, Then they do without it
    points = by_flights(blind, real_part("validate"), TRAINING, whole=0.7)
    assert all(0.5 < point.validate_auc < 1 for point in points)
