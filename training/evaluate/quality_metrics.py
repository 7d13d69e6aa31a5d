"""Quality metrics of predicted probabilities.

Every figure is computed from one ranking of the flights, with a weight for each: 1 for the flights
as they are, or how often a flight was drawn in a bootstrap sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUC: Final = "auc"
AVERAGE_PRECISION: Final = "average_precision"
LOG_LOSS: Final = "log_loss"
BRIER: Final = "brier"
CALIBRATION_ERROR: Final = "calibration_error"
_SMALLEST: Final = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Flights by falling probability, with what every metric needs of them.

    Attributes:
        order: Position of each in the arrays it was made from.
        label: 1 for a late arrival, else 0.
        score: Probability of a late arrival.
        ends: The last position of each group of equal probabilities.
        bin_starts: Where each calibration bin that has flights starts.
        loss: Log loss of each flight.
        surprise: Probability less label of each flight.
        squared: The square of that.
    """

    order: NDArray[np.intp]
    label: NDArray[np.float64]
    score: NDArray[np.float64]
    ends: NDArray[np.intp]
    bin_starts: NDArray[np.intp]
    loss: NDArray[np.float64]
    surprise: NDArray[np.float64]
    squared: NDArray[np.float64]


def recall_name(rate: float) -> str:
    """Return the name of the recall when that share of the flights is called late."""
    return f"recall_at_{100 * rate:g}_percent"


def ranking(label: NDArray[np.int8], score: NDArray[np.float64], *, bins: int) -> Ranking:
    """Return flights ranked by probability, the likeliest to be late first.

    Args:
        label: 1 for a late arrival, else 0.
        score: Probability of a late arrival.
        bins: Equal-width calibration bins from 0 to 1.
    """
    order = np.argsort(-score, kind="stable")
    ranked, late = score[order], label[order].astype(np.float64)
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    inside = np.clip(ranked, _SMALLEST, 1 - _SMALLEST)
    loss = -np.log(np.where(late == 1, inside, 1 - inside))
    which = np.minimum((ranked * bins).astype(np.int64), bins - 1)
    starts = np.flatnonzero(np.r_[True, which[1:] != which[:-1]])
    surprise = ranked - late
    return Ranking(order, late, ranked, ends, starts, loss, surprise, surprise**2)


def measure(
    flights: Ranking, weight: NDArray[np.float64], alert_rates: tuple[float, ...]
) -> dict[str, float]:
    """Return every metric of weighted flights; NaN where they are all late or all on time.

    AUC is the area under the ROC curve, ties counting half. Average precision is the sum of
    precision times the gain in recall. Calibration error is the mean distance, over the bins, of
    the share that was late from the mean probability. Recall at a rate is the share of the late
    flights among the likeliest such share of all flights.

    Sums are numpy's, not those of a BLAS, whose last bit depends on the number of its threads.

    Args:
        flights: The ranking.
        weight: How much each flight counts, in the ranking's order.
        alert_rates: Shares of flights called late.
    """
    positive = np.cumsum(weight * flights.label)
    everything = np.cumsum(weight)
    total, late = everything[-1], positive[-1]
    if not 0 < late < total:
        names = (AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER, CALIBRATION_ERROR)
        return dict.fromkeys((*names, *map(recall_name, alert_rates)), float("nan"))
    hits, alerts = positive, everything
    if flights.ends.size < weight.size:
        hits, alerts = positive[flights.ends], everything[flights.ends]
    area = _area(hits, alerts - hits)
    gained = hits.copy()
    gained[1:] -= hits[:-1]
    if alerts[0] > 0:  # as all that follow: they never fall
        precision = hits / alerts
    else:
        precision = np.divide(hits, alerts, out=np.zeros_like(hits), where=alerts > 0)
    precision *= gained
    surprise = np.add.reduceat(weight * flights.surprise, flights.bin_starts)
    recall = np.interp(np.array(alert_rates) * total, everything, positive) / late
    return {
        AUC: float(area / (late * (total - late))),
        AVERAGE_PRECISION: float(np.sum(precision) / late),
        LOG_LOSS: float(np.sum(weight * flights.loss) / total),
        BRIER: float(np.sum(weight * flights.squared) / total),
        CALIBRATION_ERROR: float(np.abs(surprise).sum() / total),
        **{recall_name(rate): float(r) for rate, r in zip(alert_rates, recall, strict=True)},
    }


def _area(hits: NDArray[np.float64], false_alarms: NDArray[np.float64]) -> float:
    """Return the area under hits over false alarms, both as weights."""
    widths = false_alarms.copy()
    widths[1:] -= false_alarms[:-1]
    heights = hits.copy()
    heights[1:] += hits[:-1]
    widths *= heights
    return float(np.sum(widths) / 2)
