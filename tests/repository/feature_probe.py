"""Run in a copy of the repository: prints, as JSON, all places where a feature occurs."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import numpy as np

from features.catalog import FEATURES
from features.contract.feature_contract import contract_of, to_json
from features.contract.reference import reference
from features.declare import columns as c
from features.leaks.prover import (
    counterfactuals,
    draw_instants,
    prove,
)
from features.offline.feature_table import features_table, gold_columns
from features.online.items_from_silver import online_items
from features.online.lookup import features_of, keys_of
from pipelines.proofs.no_leak import NAMES
from pipelines.quality.gold_suite import gold_expectations
from pipelines.runtime.source_code import code_of
from tests.features.factories import as_flight, flight, flights_table, weather_table
from tests.features.real_weeks import real_weeks

HORIZON = 120
# To LAX: two flights, one of them cancelled, known 180 minutes later; then the predicted flight.
WORLD = [
    flight(0, delay=None, late=None),
    flight(60, **{c.FLIGHT_NUMBER: 2}),
    flight(600, **{c.FLIGHT_NUMBER: 3}),
]


def found(name: str) -> dict[str, Any]:
    """Return where the feature of that name is, and its values in a small world."""
    offline, online = values(name)
    limited = [getattr(expected, "column", "") for expected in gold_expectations(FEATURES)]
    return {
        "features": len(FEATURES),
        "schema": dict(gold_columns())[name],
        "contract": name in json.dumps(json.loads(to_json(contract_of(HORIZON, 0.5)))),
        "limits in suite": limited.count(name),
        "reference rows": reference(FEATURES).count(f"| `{name}` |"),
        "leak prover": name in NAMES,
        "leaks": list(proof(name)),
        "code of the stage": [f for f in code_of("pipelines.gold.block_files") if "cuts" in f],
        "offline": offline,
        "online": online,
    }


def values(name: str) -> tuple[list[float | None], list[float | None]]:
    """Return the feature of every flight of the small world, from the table and online."""
    flights, weather = flights_table(WORLD), weather_table([])
    wanted = np.ones(len(WORLD), dtype=np.bool_)
    offline = features_table(flights, weather, wanted, horizon_min=HORIZON)[name].to_pylist()
    items = dict(online_items(flights, weather, retain_days=6, horizon_min=120))
    contract = contract_of(HORIZON, 0.5, [name])
    online: list[Any] = []
    for row in WORLD:
        own = as_flight(row)
        as_of = own.scheduled_departure_at - HORIZON
        held = {key: items[key] for key in keys_of(own, as_of, contract) if key in items}
        got, _ = features_of(own, as_of, held, contract)
        online += got
    return offline, online


def proof(name: str) -> tuple[str, ...]:
    """Return the feature, if it leaks at some instants of real weeks."""
    world = real_weeks()
    instants = draw_instants(world, 2, horizon_min=HORIZON, seed=1)
    others = counterfactuals(world, instants, seed=1)
    compute = partial(features_table, features=tuple(f for f in FEATURES if f.name == name))
    return prove(world, others, compute, features=[name], horizon_min=HORIZON).leaking


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found(sys.argv[1])))
