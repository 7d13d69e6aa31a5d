"""Items built from silver: which days they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from features.catalog import FEATURES
from features.declare import columns as c
from features.online.item_bytes import decode
from features.online.item_layout import layouts
from features.online.items_from_silver import online_items
from tests.features.factories import flight, flights_table, observation, weather_table

if TYPE_CHECKING:
    from features.online.item_layout import ItemLayout


def test_items_retain_only_the_days_that_are_needed() -> None:
    # Given 140 days of one flight a day
    rows = [flight(1440 * day, **{c.FLIGHT_NUMBER: 5}) for day in range(140)]
    # When items are built for look-ups of the last day
    made = online_items(flights_table(rows), weather_table([observation(10)]), retain_days=1)
    items = dict(made)
    # Then rows of the origin cover the days that events may change, and sums the last 30 days
    days = [key for key in items if key.startswith("origin=JFK@")]
    assert sorted(days) == [f"origin=JFK@2013-07-{day}" for day in range(13, 19)]
    sums = [key for key in items if key.startswith("carrier=AA#")]
    assert sorted(sums) == ["carrier=AA#2013-06-16", "carrier=AA#2013-07-18"]
    (arrivals,) = decode(sums_layout("carrier"), items["carrier=AA#2013-06-16"])
    assert [row[2][0] for row in arrivals] == [1] * 32


def sums_layout(*entity: str) -> ItemLayout:
    (layout,) = (each.sums for each in layouts(FEATURES) if each.entity == entity)
    assert layout is not None
    return layout


@pytest.mark.parametrize("retain_days", [0, 3])
def test_an_empty_table_has_no_items(retain_days: int) -> None:
    # Given no flights / When / Then there are no items
    assert not list(online_items(flights_table([]), weather_table([]), retain_days=retain_days))
