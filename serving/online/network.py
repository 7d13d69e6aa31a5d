"""The network that is served: airports with their time zones, and routes with their distances.

The pipeline stores it as one online item beside the state of the features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from serving.stores.online.protocol import OnlineItems, OnlineStore

NETWORK_KEY: Final = "network"


class NetworkError(OntimeError):
    """The online store holds no network, or one that cannot be read."""


class Network(msgspec.Struct, frozen=True):
    """The airports and routes that are served.

    Attributes:
        time_zones: IANA time zone of each airport, such as `{"JFK": "America/New_York"}`.
        origins: Airports whose departures the model was trained on.
        distances_mi: Miles of each known route, such as `{"JFK-LAX": 2475}`.
        earlier_mi: For routes whose distance was corrected: miles valid for departures before a
            minute, in the order of time.
        covered_from: The first minute for whose flights the pipeline stored features; 0: not known.
    """

    time_zones: dict[str, str]
    origins: list[str]
    distances_mi: dict[str, int]
    earlier_mi: dict[str, list[tuple[int, int]]] = {}
    covered_from: int = 0

    def distance_mi(self, route: str, departure: int) -> int | None:
        """Return the miles of a route for a flight that leaves at a minute; None if unknown."""
        for until, miles in self.earlier_mi.get(route, ()):
            if departure < until:
                return miles
        return self.distances_mi.get(route)


def write_network(store: OnlineStore, network: Network) -> None:
    """Store the network, replacing the previous one.

    Raises:
        NetworkError: A time zone does not exist.
        StoreError: The store cannot be written.
    """
    for airport, zone in network.time_zones.items():
        _require_zone(airport, zone)
    store.put_many({NETWORK_KEY: msgspec.msgpack.encode(network)})


def read_network(store: OnlineItems) -> Network:
    """Return the network.

    Raises:
        NetworkError: There is none, or it cannot be read.
        StoreError: The store cannot be read.
    """
    body = store.get_many([NETWORK_KEY]).get(NETWORK_KEY)
    if body is None:
        raise NetworkError(
            "The online store holds no airports yet: run `make run`, which fills it from the data."
        )
    try:
        return msgspec.msgpack.decode(body, type=Network)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NetworkError(
            f"The airports in the online store cannot be read ({error}): run `make run`, which "
            "rewrites them."
        ) from error


def _require_zone(airport: str, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise NetworkError(
            f"Airport {airport} has time zone '{zone}', which does not exist: correct it in the "
            "airports file, or leave the airport out."
        ) from error
