"""Features that a model uses have an importance; features that it does not use have none."""

from __future__ import annotations

import pytest
from sklearn.metrics import roc_auc_score

from tests.training.made import model_importances, part, scored, trained
from tests.training.world import FEATURES, settings
from training.evaluate.importance import importances


def test_the_cause_of_lateness_comes_first() -> None:
    # Given a world in which lateness follows `late_before`, When the importance is measured
    found = model_importances()
    # Then that matters most, by far, and so does its family
    assert found.features[0].name == "late_before"
    assert found.families[0].name == "recent"
    assert found.features[0].auc_lost > 0.1 > 5 * abs(found.features[1].auc_lost)
    assert found.families[0].auc_lost == pytest.approx(found.features[0].auc_lost, abs=0.08)


def test_every_feature_and_every_family_is_measured_on_its_flights() -> None:
    found = model_importances()
    assert {each.name for each in found.features} == {each.name for each in FEATURES}
    assert {each.name for each in found.families} == {each.family for each in FEATURES}
    assert found.flights == len(part("test"))
    assert found.auc == pytest.approx(roc_auc_score(scored().label, scored().score))


def test_the_same_seed_gives_the_same() -> None:
    again = importances(trained().model, part("test"), FEATURES, settings().evaluation)
    assert again == model_importances()
