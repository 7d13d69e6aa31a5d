"""Training makes a model, a naive one beside it, and all that a server needs of the first."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tests.training.made import train_again, trained
from tests.training.world import FEATURES, settings
from training.evaluate.quality_metrics import AUC
from training.fit import TrainingError, model_features, naive_features


def test_the_model_uses_every_feature_and_the_naive_one_the_schedule() -> None:
    made = trained()
    assert made.model.inputs == [each.name for each in FEATURES]
    assert made.naive.inputs == ["carrier", "origin", "departure_minute"]


def test_the_contract_names_the_models_inputs_and_its_threshold() -> None:
    contract = trained().contract
    assert [each.name for each in contract.features] == trained().model.inputs
    assert contract.horizon_min == 120
    assert 0 < contract.operating_threshold < 1


def test_metrics_of_both_models_are_of_the_validate_part() -> None:
    metrics = trained().metrics
    assert metrics[f"validate_{AUC}"] > metrics[f"validate_naive_{AUC}"] + 0.1


def test_the_same_data_give_the_same_export_and_other_data_another() -> None:
    again = train_again()
    assert again.onnx == trained().onnx != trained(1).onnx
    assert again.contract == trained().contract


def test_the_self_test_asks_for_what_is_easily_got_wrong() -> None:
    # Given the self-test
    test = json.loads(trained().self_test)
    rows, stored = test["rows"], test["probabilities"]
    # Then it has enough rows, one of them with nothing known, one with unknown categories
    assert len(rows) == len(stored) >= 16
    assert rows[-2] == [None] * len(FEATURES)
    assert rows[-1][:2] == ["no such category"] * 2
    # And the model gives its rows, read back, the stored probabilities
    frame = pd.DataFrame(rows, columns=[each.name for each in FEATURES])
    for each in FEATURES:
        frame[each.name] = (
            frame[each.name].fillna("")
            if each.dtype == "string"
            else frame[each.name].astype(np.float64)
        )
    assert trained().model.probabilities(frame).tolist() == stored


def test_a_family_of_features_can_be_left_out() -> None:
    left = model_features(settings(without_families=["recent", "weather"]), FEATURES)
    assert [each.name for each in left] == ["carrier", "origin", "departure_minute"]


def test_a_family_that_does_not_exist_is_named() -> None:
    expected = (
        "No feature has the family 'moon' of training.{} in conf/: use some of "
        "recent, schedule, weather."
    )
    with pytest.raises(TrainingError, match=expected.format("without_families")):
        model_features(settings(without_families=["moon"]), FEATURES)
    with pytest.raises(TrainingError, match=expected.format("naive_families")):
        naive_features(settings(naive_families=["schedule", "moon"]), FEATURES)


def test_the_configured_families_are_those_of_the_catalog() -> None:
    how = settings(naive_families=["schedule", "calendar"])
    assert 0 < len(naive_features(how)) < len(model_features(how))
