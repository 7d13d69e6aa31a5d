"""What the online path gave for each flight, beside what the feature table has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from features import columns as c
from serving.scoring import TOLERANCE

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from features.contract import Contract

PROBABILITY: Final = "offline_probability"
_AT_ONCE: Final = 2_000
_EXAMPLES: Final = 5


@dataclass
class Replayed:
    """What was found.

    Attributes:
        flights: Flights that were asked for, by month.
        equal: Of those, all features the same bits, and the probability within the tolerance.
        unequal_features: By feature, for how many flights it was not the same.
        max_difference: The greatest difference between two probabilities.
        features: How many features were compared.
        events: How many events were applied.
        examples: A few of the differences, in words.
    """

    flights: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    unequal_features: Counter[str] = field(default_factory=Counter)
    max_difference: float = 0.0
    features: int = 0
    events: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Replayed) -> None:
        """Take in what was found elsewhere."""
        self.flights += other.flights
        self.equal += other.equal
        self.unequal_features += other.unequal_features
        self.max_difference = max(self.max_difference, other.max_difference)
        self.features = max(self.features, other.features)
        self.events += other.events
        self.examples = (self.examples + other.examples)[:_EXAMPLES]


class Kept(msgspec.Struct):
    """What is compared of a prediction that was kept."""

    flight_id: str
    probability: float
    features: list[float | str | None]


class Comparison:
    """Compares predictions with what is expected, some thousand flights at a time.

    Args:
        expected: The feature table with the offline probability of each flight.
        contract: The features that are compared.
    """

    def __init__(self, expected: pa.Table, contract: Contract) -> None:
        self._expected = expected
        self._rows = {own: row for row, own in enumerate(expected[c.FLIGHT_ID].to_pylist())}
        self._names = [spec.name for spec in contract.features]
        self._texts = set(contract.categorical)
        self._waiting: list[Kept] = []
        self.found = Replayed(features=len(self._names))

    def add(self, kept: Kept) -> None:
        """Compare a prediction, sooner or later."""
        self._waiting.append(kept)
        if len(self._waiting) >= _AT_ONCE:
            self.finish()

    def finish(self) -> Replayed:
        """Compare what still waits, and return what was found."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._compare(waiting)
        return self.found

    def _compare(self, kept: list[Kept]) -> None:
        rows = self._expected.take([self._rows[one.flight_id] for one in kept])
        equal = np.ones(len(kept), dtype=np.bool_)
        for number, name in enumerate(self._names):
            online = [one.features[number] for one in kept]
            offline = rows[name].to_pylist()
            same = np.array([x == y for x, y in zip(online, offline, strict=True)])
            equal &= same
            self._note(name, same, kept, online, offline)
        apart = np.abs([one.probability for one in kept] - rows[PROBABILITY].to_numpy())
        self.found.max_difference = max(self.found.max_difference, float(apart.max()))
        equal &= apart <= TOLERANCE
        months = [f"{date:%Y-%m}" for date in rows[c.FLIGHT_DATE].to_pylist()]
        self.found.flights.update(months)
        self.found.equal.update(m for m, ok in zip(months, equal.tolist(), strict=True) if ok)

    def _note(
        self,
        name: str,
        same: NDArray[np.bool_],
        kept: list[Kept],
        online: list[Any],
        offline: list[Any],
    ) -> None:
        if same.all():
            return
        self.found.unequal_features[name] += int((~same).sum())
        for row in np.flatnonzero(~same)[: _EXAMPLES - len(self.found.examples)].tolist():
            self.found.examples.append(
                f"{kept[row].flight_id}: {name} is {online[row]} online, and {offline[row]} "
                "in the feature table"
            )
