"""Online features: the features of one flight from the items of its entity keys.

The inputs of every declared feature are resolved from items here, and combined by the very
functions that the kernel calls over the whole table: same inputs, same bits. Items are read as they
came from the store, and a window that ends at any retained instant is two searches in them, so
features can be asked for *as of* an instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from features.catalog import FEATURES
from features.declarations import MINUTES_PER_DAY
from features.keys import utc_hour
from features.lookup import Lookup
from features.planning import plan_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.contract import Contract
    from features.declarations import Feature
    from features.plan import Plan


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A flight as its schedule tells it; instants are UTC minutes since the epoch.

    Attributes:
        origin_utc_offset_min: Local time at the origin less UTC at the scheduled departure.
        destination_utc_offset_min: Local time at the destination less UTC at the arrival.
        distance_mi: Distance, None when it is not known.
        tail_number: The aircraft, None when it is not known.
    """

    carrier: str
    flight_number: int
    origin: str
    destination: str
    scheduled_departure_at: int
    scheduled_arrival_at: int
    origin_utc_offset_min: int
    destination_utc_offset_min: int
    distance_mi: int | None = None
    tail_number: str | None = None

    @property
    def flight_id(self) -> str:
        """Carrier, flight number and UTC hour of the scheduled departure."""
        hour = utc_hour(self.scheduled_departure_at)
        return f"{self.carrier}-{self.flight_number}-{hour}"

    @property
    def local_hour(self) -> int:
        """Local hour of the scheduled departure."""
        local = self.scheduled_departure_at + self.origin_utc_offset_min
        return local % MINUTES_PER_DAY // 60


_MOST_PLANS: Final = 16
_plans: dict[tuple[int, int], tuple[Plan, Contract, tuple[Feature, ...]]] = {}
"""Plans by the identity of contract and features, which are kept with them."""


def features_of(
    flight: Flight,
    as_of: int,
    items: Mapping[str, bytes],
    contract: Contract,
    features: tuple[Feature, ...] = FEATURES,
) -> tuple[list[float | str | None], list[str]]:
    """Return the features of a flight as known just before an instant.

    Args:
        flight: The flight.
        as_of: Minutes since the epoch; what is known at that minute or later is not used.
        items: The encoded items by key (`keys_of`); a key that is not there has no events.
        contract: The features wanted, in order.
        features: The declared features.

    Returns:
        The values in contract order, None where missing, and the names of those that are missing.
    """
    found = lookup_of(flight, as_of, contract, features).resolve(items)
    return found.values, found.missing


def keys_of(
    flight: Flight, as_of: int, contract: Contract, features: tuple[Feature, ...] = FEATURES
) -> list[str]:
    """Return the keys of all items that the flight's features read: one batched read."""
    return lookup_of(flight, as_of, contract, features).keys


def lookup_of(
    flight: Flight, as_of: int, contract: Contract, features: tuple[Feature, ...] = FEATURES
) -> Lookup:
    """Return the look-up of a flight's features: its keys first, then, from the items, the values.

    See `features_of`.
    """
    return Lookup(_plan_of(contract, features), flight, as_of)


def _plan_of(contract: Contract, features: tuple[Feature, ...]) -> Plan:
    kept = _plans.get((id(contract), id(features)))
    if kept is None:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        plan = plan_for((spec.name for spec in contract.features), features)
        kept = _plans[id(contract), id(features)] = (plan, contract, features)
    return kept[0]
