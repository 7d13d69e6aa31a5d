"""The parts lie one after the other, and each has flights of both labels."""

from __future__ import annotations

from itertools import pairwise

import pytest

from features.declare import columns as c
from tests.training.world import FEATURES, gold, settings
from training.data.parts import Part, bounds_of
from training.data.split import SplitError, part_of

PARTS: tuple[Part, ...] = ("train", "validate", "test")


def test_every_labelled_flight_is_in_exactly_one_part() -> None:
    # Given a feature table that the split covers
    rows, split = gold(), settings().split
    # When it is split
    parts = [part_of(rows, part, FEATURES, split) for part in PARTS]
    # Then the parts are all its labelled flights, and those without a label are in none
    found = [name for part in parts for name in part.flights[c.FLIGHT_ID]]
    assert len(found) == len(set(found)) == len(rows) - rows[c.LABEL].null_count
    # And each part ends before the next one begins
    departures = [part.flights[c.SCHEDULED_DEPARTURE] for part in parts]
    assert all(before.max() < after.min() for before, after in pairwise(departures))


def test_the_instant_between_two_parts_belongs_to_the_later_one() -> None:
    # Given a flight that leaves at the very instant
    rows, split = gold(), settings().split
    at = bounds_of("validate", split)[0]
    # When the table is split, Then it is the first of the later part
    later = part_of(rows, "validate", FEATURES, split).flights[c.SCHEDULED_DEPARTURE]
    assert later.min() == at
    assert (part_of(rows, "train", FEATURES, split).flights[c.SCHEDULED_DEPARTURE] < at).all()


def test_a_part_without_flights_is_reported_with_the_available_days() -> None:
    # Given a table that ends before the test part begins
    rows = gold(days=25)
    # When that part is requested, Then the error names it, its instants, and the table's days
    expected = (
        r"The test part, from 2013-01-31 12:00Z to 2013-02-10 12:00Z, has no labelled flights; "
        r"there are flights from 2013-01-01 to 2013-01-26: change training\.split in conf/"
    )
    with pytest.raises(SplitError, match=expected):
        part_of(rows, "test", FEATURES, settings().split)


def test_an_empty_table_is_reported() -> None:
    with pytest.raises(SplitError, match="there are none at any time"):
        part_of(gold(days=1).slice(0, 0), "train", FEATURES, settings().split)


def test_a_part_with_flights_of_one_label_is_reported() -> None:
    # Given a table of late flights only
    rows = gold()
    rows = rows.filter(rows[c.LABEL].to_numpy() == 1)
    # When it is split, Then there is nothing to learn
    with pytest.raises(SplitError, match="has flights of only one label"):
        part_of(rows, "train", FEATURES, settings().split)
