"""A new feature needs one declaration and one function to be available everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.arrays.arrow import to_minutes
from features.catalog import FEATURES
from features.contract.feature_contract import contract_of
from features.contract.reference import reference
from features.declare import columns as c
from features.declare.declarations import (
    CARRIER,
    ORIGIN,
    Feature,
    Minutes,
    Sum,
)
from features.declare.streams import ARRIVALS, COUNT, DEPARTURES
from features.leaks.prover import (
    counterfactuals,
    draw_instants,
    middle_days,
    prove,
)
from features.offline.feature_table import features_table
from features.online.items_from_silver import online_items
from features.online.lookup import Flight, features_of, keys_of
from tests.features.real_weeks import real_weeks

HORIZON = 120


# The complete declaration of a new feature.
def surplus(arrived: Any, departed: Any) -> Any:
    """Return the arrivals of the carrier per departure from the origin."""
    return arrived / departed


SURPLUS = Feature(
    name="arrivals_per_departure_2h",
    family="recent",
    unit="ratio",
    definition="Arrivals of the carrier per departure from the origin in the last 2 h.",
    null="no departure in the window",
    inputs=(
        Sum(ARRIVALS.name, COUNT, CARRIER, Minutes(before=120)),
        Sum(DEPARTURES.name, COUNT, ORIGIN, Minutes(before=120)),
    ),
    compute=surplus,
    minimum=0,
)
DECLARED = (*FEATURES, SURPLUS)


def test_a_new_feature_is_in_the_table_and_the_same_online() -> None:
    # Given some real days, and one more feature than is declared
    data = middle_days(real_weeks(), days=8)
    last = int(to_minutes(data.flights[c.SCHEDULED_DEPARTURE]).max())
    wanted = to_minutes(data.flights[c.SCHEDULED_DEPARTURE]) > last - 240
    # When it is computed for the table, and for each flight from the state of its keys
    table = features_table(
        data.flights, data.weather, wanted, horizon_min=HORIZON, features=DECLARED
    )
    items = dict(
        online_items(data.flights, data.weather, retain_days=2, horizon_min=120, features=DECLARED)
    )
    contract = contract_of(HORIZON, 0.5, [SURPLUS.name], features=DECLARED)
    online = [online_value(row, items, contract) for row in silver_of(data.flights, wanted)]
    # Then both are the same, bit for bit, and there is something to compare
    offline = dict(
        zip(table[c.FLIGHT_ID].to_pylist(), table[SURPLUS.name].to_pylist(), strict=True)
    )
    assert dict(online) == offline
    assert len({value for value in offline.values() if value}) > 10


def silver_of(flights: Any, wanted: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = flights.take(np.flatnonzero(wanted)).to_pylist()
    return rows


def online_value(row: dict[str, Any], items: dict[str, bytes], contract: Any) -> tuple[str, Any]:
    instants = (c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL)
    fields = {name: row[name] for name in Flight.__struct_fields__}
    fields |= {name: int(row[name].timestamp()) // 60 for name in instants}
    flight = Flight(**fields)
    as_of = flight.scheduled_departure_at - HORIZON
    keys = keys_of(flight, as_of, contract, DECLARED)
    held = {key: items[key] for key in keys if key in items}
    values, _ = features_of(flight, as_of, held, contract, DECLARED)
    return flight.flight_id, values[0]


def test_a_new_feature_is_proven_and_documented_without_being_named() -> None:
    # Given some real days / When the prover and the reference get the new declarations
    data = real_weeks()
    others = counterfactuals(data, draw_instants(data, 2, horizon_min=HORIZON, seed=3), seed=3)

    def compute(flights: Any, weather: Any, wanted: Any, *, horizon_min: int) -> Any:
        return features_table(
            flights, weather, wanted, horizon_min=horizon_min, features=(SURPLUS,)
        )

    proof = prove(data, others, compute, features=[SURPLUS.name], horizon_min=HORIZON)
    # Then it does not leak, and it is on the page
    assert proof.leaks == ()
    assert proof.tested == {SURPLUS.name}
    assert f"| `{SURPLUS.name}` | float64 | ratio | carrier; origin | 2 h" in reference(DECLARED)
