"""Bootstrap confidence intervals of metrics: samples of whole days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from training.evaluate.quality_metrics import measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluate.quality_metrics import Ranking
    from training.settings import EvaluationSettings


class Interval(msgspec.Struct, frozen=True):
    """A figure, and the bounds that cover it with the configured confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """Bootstrap samples of flights: days drawn with replacement, each with all its flights.

    The flights of a day share its weather, so that samples of single flights would promise
    narrower intervals than there are. Two models measured on the same samples can be compared
    sample by sample.

    Attributes:
        day: The day of each flight, as a position in `drawn`.
        drawn: How often each day is in each sample: [samples, days].
    """

    day: NDArray[np.intp]
    drawn: NDArray[np.float64]

    @classmethod
    def of_days(cls, days: NDArray[np.datetime64], settings: EvaluationSettings) -> Self:
        """Return samples of the days on which flights left; the same seed gives the same."""
        _, day = np.unique(days, return_inverse=True)
        count = int(day.max()) + 1
        generator = np.random.default_rng(settings.seed)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=settings.replicates)
        return cls(day, drawn.astype(np.float64))

    def only(self, wanted: NDArray[np.bool_]) -> Resampling:
        """Return the same samples of some of the flights."""
        return Resampling(self.day[wanted], self.drawn)


def resampled(
    flights: Ranking, samples: Resampling, alert_rates: tuple[float, ...] = ()
) -> dict[str, NDArray[np.float64]]:
    """Return every metric in every sample; NaN where a sample's flights have only one label."""
    day = samples.day[flights.order]
    rows = [measure(flights, drawn[day], alert_rates) for drawn in samples.drawn]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def resampled_auc(
    label: NDArray[np.int8], score: NDArray[np.float64], samples: Resampling
) -> NDArray[np.float64]:
    """Return the AUC in every sample; NaN where a sample's flights have only one label.

    The same as `resampled` gives, in a fraction of the time: how often a late flight of one day is
    ranked above a flight on time of another is counted once for all pairs of days.
    """
    late, days = label == 1, samples.drawn.shape[1]
    on_time_order = np.argsort(score[~late], kind="stable")
    ranked = score[~late][on_time_order]
    each_day = np.arange(days)
    below = np.zeros((ranked.size + 1, days))
    np.cumsum(samples.day[~late][on_time_order, None] == each_day, axis=0, out=below[1:])
    lower, upper = (np.searchsorted(ranked, score[late], side) for side in ("left", "right"))
    late_day = (samples.day[late][:, None] == each_day).astype(np.float64)
    won = late_day.T @ ((below[lower] + below[upper]) / 2)
    pairs = np.outer(late_day.sum(axis=0), below[-1])
    drawn = samples.drawn
    won_drawn, pairs_drawn = (((drawn @ each) * drawn).sum(axis=1) for each in (won, pairs))
    auc = np.full(len(drawn), np.nan)
    np.divide(won_drawn, pairs_drawn, out=auc, where=pairs_drawn > 0)
    return auc


def interval(value: float, samples: NDArray[np.float64], confidence: float) -> Interval:
    """Return a figure between the percentiles of its samples, those that are NaN left out."""
    low, high = np.nanquantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
