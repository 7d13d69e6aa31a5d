"""The leak prover: does a feature depend on what becomes known at its prediction time or later?

For an instant c, everything known at c or later is changed (`features.leaks.counterfactual`) and
all features are computed again. A feature of a flight with `prediction_time <= c` may read only
what is known before its prediction time, so its bytes must not change; one that changes has read
the future. The prover depends neither on the names of features nor on how they are computed.

It also compares the flights whose prediction time is after c: a feature that changes there was
actually tested, one that never changes may not have been.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import to_minutes
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.leaks.counterfactual import Dataset, counterfactual
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from features.arrays.search import Bools

Value: TypeAlias = float | str | None

_WATCHED_MIN: Final = 3 * MINUTES_PER_DAY
"""How long after an instant flights are compared to find the features that do change."""


class ProofError(OntimeError):
    """A proof is not possible: too few flights, or two computations that do not match."""


class ComputeFeatures(Protocol):
    """Computes the feature table of the wanted flights, such as `feature_table.features_table`.

    The order of the rows must not depend on outcomes: sort by scheduled departure, for example.
    """

    def __call__(
        self, flights: pa.Table, weather: pa.Table, wanted: Bools, *, horizon_min: int
    ) -> pa.Table:
        """Return flight id, prediction time and features of the wanted flights."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Data that differs from the original in what is known at an instant or later."""

    instant: int
    data: Dataset


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that changed with data that it must not read.

    Attributes:
        feature: Its name.
        instant: Minutes since the epoch; only what is known then or later was changed.
        flights: Number of flights with a prediction time up to the instant whose value changed.
        flight_id: The last of them.
        before: The feature of that flight in the original data.
        after: The same in the counterfactual data.
    """

    feature: str
    instant: int
    flights: int
    flight_id: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a proof.

    Attributes:
        instants: The instants, in minutes since the epoch.
        compared: Number of compared values.
        leaks: One per feature and instant; empty if there is none.
        tested: Features that changed for flights after an instant, so that a leak would be found.
    """

    instants: tuple[int, ...]
    compared: int
    leaks: tuple[Leak, ...]
    tested: frozenset[str]

    @property
    def leaking(self) -> tuple[str, ...]:
        """Names of the features that leak, each once."""
        return tuple(dict.fromkeys(leak.feature for leak in self.leaks))


def draw_instants(data: Dataset, count: int, *, horizon_min: int, seed: int) -> tuple[int, ...]:
    """Return instants spread over the whole period: each is the prediction time of some flight.

    So at every instant there is a flight whose prediction time is exactly that minute.

    Raises:
        ProofError: There are fewer flights than instants.
    """
    departures = np.sort(to_minutes(data.flights[c.SCHEDULED_DEPARTURE]))
    if len(departures) < count:
        raise ProofError(
            f"There are {len(departures)} flights for {count} instants: ask for fewer, or ingest "
            "more flights."
        )
    rng = np.random.default_rng(seed)
    parts = np.array_split(departures, count)
    return tuple(int(rng.choice(part)) - horizon_min for part in parts)


def counterfactuals(
    data: Dataset, instants: Iterable[int], *, seed: int
) -> Iterator[Counterfactual]:
    """Yield a counterfactual data set for each instant; the same seed gives the same data."""
    for instant in instants:
        rng = np.random.default_rng([seed, instant])
        yield Counterfactual(instant, counterfactual(data, instant, rng))


def middle_days(data: Dataset, *, days: int = 30) -> Dataset:
    """Return the given number of days around the middle flight, for expensive proofs."""
    departures = to_minutes(data.flights[c.SCHEDULED_DEPARTURE])
    middle, reach = np.median(departures), days * MINUTES_PER_DAY / 2
    known = to_minutes(data.weather[c.KNOWN])
    return Dataset(
        data.flights.filter(pa.array(np.abs(departures - middle) <= reach)),
        data.weather.filter(pa.array(np.abs(known - middle) <= reach + MINUTES_PER_DAY)),
    )


def prove(
    data: Dataset,
    others: Iterable[Counterfactual],
    compute: ComputeFeatures,
    *,
    features: Sequence[str],
    horizon_min: int,
) -> Proof:
    """Return which features change with what is known at their prediction time or later.

    As many data sets are computed at a time as there are processors: numpy releases the lock.

    Args:
        data: The original data.
        others: Counterfactual data sets.
        compute: Computes the features.
        features: Names of the columns to compare.
        horizon_min: Minutes from the prediction time to the scheduled departure.

    Raises:
        ProofError: The two computations are not about the same flights.
    """
    everything = np.ones(len(data.flights), dtype=np.bool_)
    truth = compute(data.flights, data.weather, everything, horizon_min=horizon_min)
    predicted = to_minutes(truth[c.PREDICTION_TIME])

    def proof_of(other: Counterfactual) -> Proof:
        until = other.instant + _WATCHED_MIN
        before = truth.filter(pa.array(predicted <= until))
        after = _computed_until(until, other.data, compute, horizon_min)
        _require_same_flights(before, after)
        past = predicted[predicted <= until] <= other.instant
        leaks: list[Leak] = []
        tested: set[str] = set()
        for name in features:
            changed = _changed(before[name], after[name])
            if (changed & past).any():
                leaks.append(_leak(name, other.instant, before, after, changed & past))
            if (changed & ~past).any():
                tested.add(name)
        compared = int(past.sum()) * len(features)
        return Proof((other.instant,), compared, tuple(leaks), frozenset(tested))

    return reduce(_joined, _side_by_side(proof_of, others), Proof((), 0, (), frozenset()))


def _side_by_side(
    work: Callable[[Counterfactual], Proof], others: Iterable[Counterfactual]
) -> Iterator[Proof]:
    """Yield the proof of each data set, in order; no more of them are drawn than are worked on."""
    at_a_time = os.cpu_count() or 1
    running: deque[Future[Proof]] = deque()
    with ThreadPoolExecutor(at_a_time) as pool:
        for other in others:
            if len(running) == at_a_time:
                yield running.popleft().result()
            running.append(pool.submit(work, other))
        while running:
            yield running.popleft().result()


def _joined(one: Proof, other: Proof) -> Proof:
    return Proof(
        one.instants + other.instants,
        one.compared + other.compared,
        one.leaks + other.leaks,
        one.tested | other.tested,
    )


def _computed_until(
    minute: int, data: Dataset, compute: ComputeFeatures, horizon_min: int
) -> pa.Table:
    wanted = to_minutes(data.flights[c.SCHEDULED_DEPARTURE]) - horizon_min <= minute
    return compute(data.flights, data.weather, wanted, horizon_min=horizon_min)


def _require_same_flights(before: pa.Table, after: pa.Table) -> None:
    if before[c.FLIGHT_ID].to_pylist() != after[c.FLIGHT_ID].to_pylist():
        raise ProofError(
            "The features of the two data sets are not of the same flights in the same order: "
            "compute one row per wanted flight, in the order of scheduled departure."
        )


def _changed(before: pa.ChunkedArray, after: pa.ChunkedArray) -> Bools:
    """Return where two columns differ, bit for bit."""
    differ = before.is_null().to_numpy() != after.is_null().to_numpy()
    if pa.types.is_floating(before.type):
        old, new = (pc.fill_null(x, 0.0).to_numpy().view(np.int64) for x in (before, after))
    else:
        old, new = (pc.fill_null(x, "").to_numpy() for x in (before, after))
    changed: Bools = differ | (old != new)
    return changed


def _leak(name: str, instant: int, before: pa.Table, after: pa.Table, where: Bools) -> Leak:
    row = int(np.flatnonzero(where)[-1])
    return Leak(
        feature=name,
        instant=instant,
        flights=int(where.sum()),
        flight_id=before[c.FLIGHT_ID][row].as_py(),
        before=before[name][row].as_py(),
        after=after[name][row].as_py(),
    )
