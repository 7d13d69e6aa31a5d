"""The model is deterministic, and scores unseen and missing values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from features.declare import columns as c
from tests.training.world import FEATURES, sample, settings, with_parameters
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.models.columns import ranked_by_lateness
from training.models.fitted_model import fit_model

NUMBERS = tuple(feature for feature in FEATURES if feature.dtype == "float64")


def test_it_finds_the_cause_of_lateness_in_flights_it_has_not_seen() -> None:
    # Given a model of one sample, and another sample
    model = fit_model(sample(), sample(), FEATURES, settings().model)
    unseen = sample(seed=1)
    # When it scores that one
    ranked = ranking(unseen.label, model.probabilities(unseen.features), bins=10)
    # Then it ranks late flights above those on time
    assert measure(ranked, np.ones(len(unseen)), ())[AUC] > 0.75


def test_the_same_data_and_seed_give_the_same_bits() -> None:
    models = [fit_model(sample(), sample(), FEATURES, settings().model) for _ in range(2)]
    assert models[0].to_onnx() == models[1].to_onnx()


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    # Given one thread, two and three, When a model is fitted, Then it is the same model
    models = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="openmp"):
            models.append(fit_model(sample(), sample(), FEATURES, settings().model))
    assert len({model.to_onnx() for model in models}) == 1


def test_it_is_confined_to_its_features() -> None:
    # Given a model that may use one number only
    model = fit_model(sample(), sample(), NUMBERS[:1], settings().naive)
    # When all other columns change
    features = sample().features
    before = model.probabilities(features)
    features[[*c_texts(), "late_before", "wind"]] = sample(seed=5).features[
        [*c_texts(), "late_before", "wind"]
    ]
    # Then its probabilities do not change
    assert model.inputs == ["departure_minute"]
    assert (model.probabilities(features) == before).all()


def c_texts() -> list[str]:
    return [c.CARRIER, c.ORIGIN]


def test_unknown_and_missing_categories_are_the_same_to_it() -> None:
    # Given a model, and a flight whose carrier is missing, or is not in the training set
    model = fit_model(sample(), sample(), FEATURES, settings().model)
    features = sample().features.head(2).copy()
    features.loc[1] = features.loc[0]
    features[c.CARRIER] = ["", "no such carrier"]
    # When it scores both, Then their probabilities are equal
    one, other = model.probabilities(features)
    assert one == other


def test_categories_are_ranked_by_how_often_their_flights_were_late() -> None:
    # Given categories that are late never, always, and half the time
    label = np.array([0] * 400 + [1] * 400 + [0, 1] * 200, dtype=np.int8)
    categories = pd.Series(["never"] * 400 + ["always"] * 400 + ["half"] * 400)
    # When they are ranked, Then the punctual one comes first, and the missing one not at all
    categories.iloc[0] = ""
    assert ranked_by_lateness(categories, label) == ["never", "half", "always"]


def test_a_rare_category_ranks_in_the_middle() -> None:
    label = np.array([0] * 400 + [1] * 400 + [1], dtype=np.int8)
    categories = pd.Series(["never"] * 400 + ["always"] * 400 + ["once"])
    assert ranked_by_lateness(categories, label) == ["never", "once", "always"]


@pytest.mark.parametrize("patience", [1, None])
def test_it_stops_early_if_configured(patience: int | None) -> None:
    # Given a validate part whose labels are noise, so that more trees never help
    validate = sample(seed=2)
    noise = np.random.default_rng(0).integers(0, 2, len(validate)).astype(np.int8)
    noisy = type(validate)(validate.flights, validate.features, noise)
    how = with_parameters(settings().model, patience=patience)
    # When a model is fitted, Then it stops before it has all its trees, if it may
    model = fit_model(sample(), noisy, FEATURES, how)
    most = settings().model.parameters.model_dump()["iterations"]
    assert model.iterations < most if patience else model.iterations == most
