"""Sorted events and the search in them: what makes a window's total cheap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.events import NULL, Ints

Positions: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

_TIME_BITS: Final = 28  # minutes since the epoch fit until the year 2480


@dataclass(frozen=True)
class Queries:
    """The entity keys of the flights that features are computed for.

    Attributes:
        missing: Which flights have no key.
        order: The flights in the order of key and time.
        keys: The shifted key of each flight, in that order.
    """

    missing: Bools
    order: Positions
    keys: Ints

    @classmethod
    def of(cls, codes: Ints, minutes: Ints) -> Queries:
        """Return the queries for one key code per flight, -1 where it has none."""
        keys = np.maximum(codes, 0) << _TIME_BITS
        order = np.argsort(keys | minutes, kind="stable")
        return cls(codes < 0, order, keys[order])


@dataclass(frozen=True)
class EventIndex:
    """Events sorted by entity key and time, with running totals of their measures.

    Attributes:
        keys: Shifted key code and minute of each event, ascending.
        rows: The table's row of each event, in that order.
        totals: By measure, the total of the events before each position; one longer than `keys`.
    """

    keys: Ints
    rows: Positions
    totals: dict[str, Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Ints, minutes: Ints) -> EventIndex:
        """Return the index of the rows that have a key code and a minute."""
        rows = np.flatnonzero((codes >= 0) & (minutes != NULL))
        keys = (codes[rows] << _TIME_BITS) | minutes[rows]
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], rows[order])

    def before(self, queries: Queries, minutes: Ints) -> Positions:
        """Return, for each flight, how many events sort before its key and the given minute.

        The search runs in the order of the keys, so that neighbours find neighbours in cache.
        """
        sought = queries.keys | minutes[queries.order]
        positions = np.empty(len(sought), dtype=np.intp)
        positions[queries.order] = np.searchsorted(self.keys, sought)
        return positions

    def add_totals(self, measure: str, values: Ints) -> Ints:
        """Return the running totals of a measure, given for every row of the table."""
        chosen = values[self.rows]
        steps = np.where(chosen == NULL, 0, chosen)
        self.totals[measure] = np.concatenate(([0], np.cumsum(steps, dtype=np.int64)))
        return self.totals[measure]
