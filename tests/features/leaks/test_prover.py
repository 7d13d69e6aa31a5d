"""The leak prover on weeks of real flights: the declared features leak nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import Own
from features.declare.streams import STREAMS
from features.leaks.counterfactual import Dataset
from features.leaks.planted_leaks import PLANTED
from features.leaks.prover import (
    Counterfactual,
    ProofError,
    counterfactuals,
    draw_instants,
    prove,
)
from features.offline.feature_table import features_table
from tests.features.real_weeks import real_weeks

if TYPE_CHECKING:
    from features.arrays.search import Bools

NAMES = [feature.name for feature in FEATURES]


@pytest.mark.parametrize(("horizon_min", "count"), [(120, 3), (30, 2), (1, 2)])
def test_no_declared_feature_leaks(horizon_min: int, count: int) -> None:
    # Given real weeks, and counterfactual data that differs from instants in between
    data = real_weeks()
    instants = draw_instants(data, count, horizon_min=horizon_min, seed=11)
    others = counterfactuals(data, instants, seed=11)
    # When all features of all flights are computed in each
    proof = prove(data, others, features_table, features=NAMES, horizon_min=horizon_min)
    # Then no feature of a flight predicted before the instant has changed a bit
    assert proof.leaks == ()
    assert proof.instants == instants
    assert proof.compared > 1_000_000
    # And every feature that reads what happens has changed for flights after that
    assert proof.tested == {
        feature.name for feature in FEATURES if reads_what_happens(feature.name)
    }


def reads_what_happens(name: str) -> bool:
    feature = {feature.name: feature for feature in FEATURES}[name]
    streams = [i for i in feature.inputs if not isinstance(i, Own)]
    return any(
        not STREAMS[item.stream].published or item.measure == "departed_at" for item in streams
    )


def test_a_leak_among_true_features_is_reported_with_its_flight() -> None:
    # Given the declared features and one more, which is the flight's own delay
    leaky = replace(PLANTED[0].features[0], name="own_delay")
    compute = partial(features_table, features=(*FEATURES, leaky))
    data = real_weeks()
    others = counterfactuals(data, draw_instants(data, 1, horizon_min=120, seed=2), seed=2)
    # When the prover checks all of them
    proof = prove(data, others, compute, features=[*NAMES, "own_delay"], horizon_min=120)
    # Then it names that one, and a flight with both its values
    assert proof.leaking == ("own_delay",)
    leak = proof.leaks[0]
    delays = dict(
        zip(
            data.flights[c.FLIGHT_ID].to_pylist(),
            data.flights[c.DEPARTURE_DELAY].to_pylist(),
            strict=True,
        )
    )
    assert leak.before == delays[leak.flight_id]
    assert leak.after != leak.before
    assert leak.flights > 10


def test_a_missing_value_and_zero_are_not_the_same() -> None:
    # Given a feature that is missing in the original data and 0 in the other
    data = real_weeks()
    (instant,) = draw_instants(data, 1, horizon_min=120, seed=4)
    calls: list[float | None] = []

    def compute(
        flights: pa.Table, weather: pa.Table, wanted: Bools, *, horizon_min: int
    ) -> pa.Table:
        table = features_table(flights, weather, wanted, horizon_min=horizon_min, features=())
        calls.append(0.0 if calls else None)
        return table.append_column("x", pa.array([calls[-1]] * len(table), pa.float64()))

    # When it is checked / Then it leaks
    proof = prove(data, [Counterfactual(instant, data)], compute, features=["x"], horizon_min=120)
    assert proof.leaking == ("x",)


def test_texts_are_compared_too() -> None:
    # Given the same data twice, except for carriers with other names in the second
    data = real_weeks()
    (instant,) = draw_instants(data, 1, horizon_min=120, seed=4)
    carriers = pa.array([f"{name}?" for name in data.flights[c.CARRIER].to_pylist()])
    place = data.flights.column_names.index(c.CARRIER)
    renamed = Dataset(data.flights.set_column(place, c.CARRIER, carriers), data.weather)
    # When the carrier is compared / Then it differs
    proof = prove(
        data,
        [Counterfactual(instant, renamed)],
        features_table,
        features=[c.CARRIER],
        horizon_min=120,
    )
    assert proof.leaking == (c.CARRIER,)
    assert isinstance(proof.leaks[0].after, str)


def test_instants_are_prediction_times_over_the_whole_period_and_repeat_with_their_seed() -> None:
    # Given real weeks / When instants are drawn twice
    data = real_weeks()
    first, second = (draw_instants(data, 20, horizon_min=120, seed=5) for _ in range(2))
    # Then they are the same, in order, and far apart in all
    assert first == second
    assert list(first) == sorted(first)
    assert first[-1] - first[0] > 20 * 1440


def test_too_few_flights_for_the_instants_are_refused() -> None:
    # Given no flights / When instants are drawn / Then the error names the way out
    data = real_weeks()
    empty = Dataset(data.flights.slice(0, 0), data.weather)
    with pytest.raises(ProofError, match="0 flights for 3 instants: ask for fewer"):
        draw_instants(empty, 3, horizon_min=120, seed=0)


def test_computations_of_different_flights_are_refused() -> None:
    # Given a computation that returns its rows in the order they come
    def unordered(
        flights: pa.Table, weather: pa.Table, wanted: Bools, *, horizon_min: int
    ) -> pa.Table:
        table = features_table(flights, weather, wanted, horizon_min=horizon_min, features=())
        return table.take(pa.array(np.random.default_rng(len(table)).permutation(len(table))))

    data = real_weeks()
    others = counterfactuals(data, draw_instants(data, 1, horizon_min=120, seed=6), seed=6)
    # When it is checked / Then the error describes the mistake
    with pytest.raises(ProofError, match="in the order of scheduled departure"):
        prove(data, others, unordered, features=[], horizon_min=120)
