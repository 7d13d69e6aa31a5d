"""Layouts of items: they follow from the declarations, and stored items stay readable."""

from __future__ import annotations

import pytest

from features.catalog import FEATURES
from features.declare.declarations import CARRIER, Days, Feature, Sum
from features.declare.streams import SCHEDULE
from features.online.item_layout import layouts


def test_a_time_bucket_is_as_long_as_the_longest_window() -> None:
    # Given the declared features / When their items are laid out
    spans = {layout.entity: layout.rows.span // 1440 for layout in layouts(FEATURES)}
    # Then half a day of delays needs days, the legs of an aircraft 4, and only sums 32
    assert spans[CARRIER] == 1
    assert spans["tail_number",] == 4
    assert spans["carrier", "destination"] == 32


def test_totals_by_day_of_an_instant_are_refused() -> None:
    # Given a feature that adds up instants over days / When / Then it is refused by name
    item = Sum(SCHEDULE.name, "arrival_at", CARRIER, Days(2))
    feature = Feature("x", "history", "min", "", "", (item,), lambda x: x)
    with pytest.raises(ValueError, match="arrival_at"):
        layouts((feature,))


def test_fingerprints_of_released_layouts_do_not_change() -> None:
    # Given an entity of the first release / When it is laid out
    (layout,) = (each for each in layouts(FEATURES) if each.entity == CARRIER)
    # Then its fingerprints are those of that release: stored items stay readable
    assert layout.sums is not None
    assert (layout.rows.fingerprint, layout.sums.fingerprint) == (832357387, 731897004)
