"""The look-up of one flight's features: first the keys of its items, then the features from them.

The inputs of every declared feature are resolved from the items of the flight's entity keys and
combined by the same functions that the offline kernel calls over the whole table: same inputs, same
bits. Items are read as they came from the store. A window may end at any retained instant, so
features can be looked up *as of* an instant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import LOCAL_HOUR, MINUTES_PER_DAY
from features.declare.streams import PUBLISHED_AHEAD_MIN
from features.online.item_bytes import ItemError, item_integers
from features.online.item_keys import (
    key_of,
    rows_suffix,
    sums_suffix,
    utc_hour,
)
from features.online.lookup_plan import text_of
from features.online.lookup_planner import plan_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.contract.feature_contract import Contract
    from features.declare.declarations import Feature
    from features.online.lookup_plan import (
        ItemPlan,
        Plan,
        Reads,
    )


_PAIR: Final = 2


class OnlineFeatures(NamedTuple):
    """The features of a flight.

    Attributes:
        values: In contract order, None where missing.
        missing: Names of the missing ones.
        newest: By silver table, the newest known-at minute before the instant (`flights`: of all of
            New York; `weather`: at the origin); None where nothing is known.
        unreadable: How many items were damaged or written by another version of the code.
    """

    values: list[float | str | None]
    missing: list[str]
    newest: dict[str, int | None]
    unreadable: int


class Lookup:
    """The look-up of one flight's features as of an instant.

    Args:
        plan: The plan of the contract's features.
        flight: The flight.
        as_of: Minutes since the epoch; what is known at that minute or later is not used.

    Attributes:
        keys: The keys of all items that the features read: one batched read.
    """

    __slots__ = ("_as_of", "_edges", "_flight", "_items", "_parts", "_plan", "keys")

    def __init__(self, plan: Plan, flight: Flight, as_of: int) -> None:
        self._plan, self._flight, self._as_of = plan, flight, as_of
        self._parts = {
            c.CARRIER: flight.carrier,
            c.FLIGHT_NUMBER: flight.flight_number,
            c.ORIGIN: flight.origin,
            c.DESTINATION: flight.destination,
            c.TAIL_NUMBER: flight.tail_number,
            LOCAL_HOUR: flight.local_hour,
        }
        departure = flight.scheduled_departure_at
        ahead = min(departure, as_of + PUBLISHED_AHEAD_MIN)
        anchors = (as_of, departure, ahead, as_of // MINUTES_PER_DAY)
        self._edges = [
            (anchors[anchor] + after, (anchors[anchor] + after - ends) // span)
            for anchor, after, span, ends in plan.edges
        ]
        prefixes = [key_of(entity, self._parts) for entity in plan.entities]
        suffixes = [self._suffixes(reads, in_days) for reads, in_days in plan.reads]
        self._items: list[tuple[ItemPlan, list[tuple[int, str]]]] = []
        self.keys: list[str] = []
        for item in plan.items:
            prefix = prefixes[item.entity]
            if prefix is not None:
                keys = [(bucket, prefix + suffix) for bucket, suffix in suffixes[item.reads]]
                self._items.append((item, keys))
                self.keys += [key for _, key in keys]

    def _suffixes(self, reads: Reads, in_days: bool) -> list[tuple[int, str]]:  # noqa: FBT001 - private
        """Return the time buckets that the windows touch, each with the suffix of its keys."""
        edges, found = self._edges, {}
        suffix = sums_suffix if in_days else rows_suffix
        for first, last in reads:
            span = self._plan.edges[first].span
            for bucket in range(edges[first][1], edges[last][1] + 1):
                found[bucket] = suffix(bucket, span)
        return list(found.items())

    def resolve(self, items: Mapping[str, bytes]) -> OnlineFeatures:
        """Return the features from the items of `keys`; a missing item has no events."""
        plan, edges, at = self._plan, self._edges, self._as_of
        slots, newest, unreadable = list(plan.slots), dict[str, int | None](), 0
        for item, keys in self._items:
            found = {}
            for bucket, key in keys:
                try:
                    found[bucket] = item_integers(item.layout, items[key])
                except KeyError:
                    continue
                except ItemError:
                    unreadable += 1
            if found:
                item.read(found, edges, at, slots, newest)
        for slot, column in plan.own:
            slots[slot] = self._own(column)
        try:
            values = plan.combine(slots, self._parts)
        except ZeroDivisionError:  # a function with a plain `/`: numpy defines the result
            values = self._by_numpy(slots)
        # NaN does not equal itself.
        values = [value if value == value else None for value in values]  # noqa: PLR0124 - see above
        missing = [step.name for step, v in zip(plan.features, values, strict=True) if v is None]
        return OnlineFeatures(values, missing, newest, unreadable)

    def _own(self, column: str) -> float:
        value = self._as_of if column == c.PREDICTION_TIME else getattr(self._flight, column)
        return math.nan if value is None else float(value)

    def _by_numpy(self, slots: list[float]) -> list[float | str | None]:
        """Return every feature, with numpy's result for a division by zero."""
        import numpy as np  # noqa: PLC0415 - only this fallback needs it

        values: list[float | str | None] = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, compute, at in self._plan.features:
                given = [slots[slot] for slot in at]
                if compute is None:
                    values.append(given[0] if given else text_of(self._parts[name]))
                    continue
                try:
                    values.append(compute(*given))
                except ZeroDivisionError:
                    values.append(float(compute(*map(np.float64, given))))
        return values


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """The schedule of a flight; instants are UTC minutes since the epoch.

    Attributes:
        origin_utc_offset_min: Local time at the origin less UTC at the scheduled departure.
        destination_utc_offset_min: Local time at the destination less UTC at the arrival.
        distance_mi: Distance, None when unknown.
        tail_number: The aircraft, None when unknown.
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


_MAX_PLANS: Final = 16
_plans: dict[tuple[int, int], tuple[Plan, Contract, tuple[Feature, ...]]] = {}
"""Cache of plans by the `id` of contract and features; holding both keeps their ids from reuse."""


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
        items: The encoded items by key (`keys_of`); a missing key has no events.
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
    """Return the look-up of a flight's features; see `features_of` for the arguments."""
    return Lookup(_plan_of(contract, features), flight, as_of)


def _plan_of(contract: Contract, features: tuple[Feature, ...]) -> Plan:
    cached = _plans.get((id(contract), id(features)))
    if cached is None:
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        plan = plan_for((spec.name for spec in contract.features), features)
        cached = _plans[id(contract), id(features)] = (plan, contract, features)
    return cached[0]
