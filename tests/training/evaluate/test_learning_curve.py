"""The learning curve measures the first trees; its last point is the whole model."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from tests.training.made import part, trained
from training.evaluate.learning_curve import (
    evenly,
    from_json,
    learning_curve,
    to_json,
    validate_auc,
)


def test_it_ends_with_the_model_itself() -> None:
    # Given a model, When its curve over all flights is computed
    model, train, validate = trained().model, part("train"), part("validate")
    curve = learning_curve(model, train, validate)
    # Then its last point equals scikit-learn's metric of the whole model
    last = curve[-1]
    learned, later = (model.probabilities(each.features) for each in (train, validate))
    assert last.trees == 25
    assert last.train_auc == pytest.approx(roc_auc_score(train.label, learned))
    assert last.validate_auc == pytest.approx(roc_auc_score(validate.label, later))
    assert last.train_log_loss == pytest.approx(log_loss(train.label, learned))
    assert last.validate_log_loss == pytest.approx(log_loss(validate.label, later))
    # And more trees fit the training set better
    assert [point.trees for point in curve] == sorted({point.trees for point in curve})
    assert curve[0].train_log_loss > curve[len(curve) // 2].train_log_loss > last.train_log_loss


def test_some_flights_stand_for_all() -> None:
    model, train, validate = trained().model, part("train"), part("validate")
    few = learning_curve(model, train, validate, flights=300)
    assert few[-1].validate_auc == pytest.approx(trained().curve[-1].validate_auc, abs=0.1)
    # And the end of a curve is had without the curve
    score = model.probabilities(validate.features)
    assert validate_auc(validate, score, flights=300) == few[-1].validate_auc


def test_rows_are_spread_evenly() -> None:
    assert evenly(10, 20).tolist() == list(range(10))
    assert evenly(100, 5).tolist() == [0, 24, 49, 74, 99]
    assert np.unique(evenly(1000, 400)).size == 400


def test_it_survives_json() -> None:
    assert from_json(to_json(trained().curve)) == trained().curve
