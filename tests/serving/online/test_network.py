"""The network that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.online.network import NETWORK_KEY, Network, NetworkError, read_network, write_network
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.serving.support import NETWORK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def online(tmp_path: Path) -> Iterator[SqliteOnlineStore]:
    opened = SqliteOnlineStore(tmp_path / "serving.db")
    yield opened
    opened.close()


def test_the_network_is_read_back(online: SqliteOnlineStore) -> None:
    write_network(online, NETWORK)
    assert read_network(online) == NETWORK


def test_a_missing_network_names_the_way_out(online: SqliteOnlineStore) -> None:
    with pytest.raises(NetworkError, match="make run"):
        read_network(online)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81\xa1a\x01", b"\xff" * 9])
def test_a_damaged_network_is_refused(online: SqliteOnlineStore, body: bytes) -> None:
    online.put_many({NETWORK_KEY: body})
    with pytest.raises(NetworkError, match="cannot be read"):
        read_network(online)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "/etc/passwd", "../up"])
def test_a_time_zone_that_does_not_exist_is_refused(online: SqliteOnlineStore, zone: str) -> None:
    # Given an airport with such a zone, When the network is stored, Then the airport is named
    network = Network({"JFK": "America/New_York", "XXX": zone}, ["JFK"], {})
    with pytest.raises(NetworkError, match="XXX"):
        write_network(online, network)
    # And nothing is stored
    assert online.get_many([NETWORK_KEY]) == {}


def test_a_remeasured_route_has_the_miles_of_its_time() -> None:
    # Given a route that had 1726 miles until minute 500, and 1725 from then on
    network = Network({}, ["EWR"], {"EWR-EGE": 1725}, earlier_mi={"EWR-EGE": [(500, 1726)]})
    # When / Then each flight has what held when it left
    assert [network.distance_mi("EWR-EGE", at) for at in (0, 499, 500)] == [1726, 1726, 1725]
    assert network.distance_mi("EWR-LAX", 0) is None
