"""Mutation tests of the prover: it finds every planted leak, on real flights."""

from __future__ import annotations

from functools import lru_cache

import pytest

from features.leaks.planted_leaks import PLANTED, PlantedLeak
from features.leaks.prover import (
    Counterfactual,
    counterfactuals,
    draw_instants,
    prove,
)
from features.offline.feature_table import features_table
from tests.features.real_weeks import real_weeks

HORIZON = 120


@lru_cache
def others() -> tuple[Counterfactual, ...]:
    data = real_weeks()
    return tuple(counterfactuals(data, draw_instants(data, 6, horizon_min=HORIZON, seed=8), seed=8))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_the_planted_leak_is_caught(planted: PlantedLeak) -> None:
    # Given a feature set with a mistake in it / When the prover checks it
    proof = prove(
        real_weeks(), others(), planted.compute, features=planted.names, horizon_min=HORIZON
    )
    # Then every feature that has the mistake leaks
    assert set(proof.leaking) == set(planted.names)


def test_leaks_of_every_kind_are_planted_once() -> None:
    # Given the planted leaks / Then there are ten at least, each with a name and a sentence
    assert len({planted.name for planted in PLANTED}) == len(PLANTED) >= 10
    assert all(planted.mistake.endswith(".") for planted in PLANTED)


@pytest.mark.parametrize(
    "planted", [p for p in PLANTED if len(p.features) > 1], ids=lambda p: p.name
)
def test_the_same_features_without_the_mistake_are_clean(planted: PlantedLeak) -> None:
    # Given the features of a planted leak that are declared ones / When computed as declared
    proof = prove(
        real_weeks(), others(), features_table, features=planted.names, horizon_min=HORIZON
    )
    # Then it was the mistake that leaked
    assert proof.leaks == ()
