"""The operating threshold: the probability from which a flight is classified as late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.settings import ThresholdSettings

# Thresholds are tried in thousandths: readable, and far coarser than any rounding error.
_STEPS: Final = 1000


class Operating(msgspec.Struct, frozen=True):
    """The quality of the decisions at a threshold.

    Attributes:
        threshold: Probability from which a flight is called late.
        alert_share: Share of the flights that are called late.
        precision: Share of those called late that were; 0 if none are called so.
        recall: Share of the late flights that were called late.
    """

    threshold: float
    alert_share: float
    precision: float
    recall: float


def choose_threshold(
    label: NDArray[np.int8], score: NDArray[np.float64], settings: ThresholdSettings
) -> float:
    """Return the threshold, from 0.001 to 0.999 in thousandths, that serves the criterion best.

    Of equally good thresholds the lowest is taken.

    Args:
        label: 1 for a late arrival, else 0.
        score: Probability of a late arrival.
        settings: The criterion.
    """
    thresholds = np.arange(1, _STEPS) / _STEPS
    ranked = np.sort(score)
    ranked_late = np.sort(score[label == 1])
    alerts = ranked.size - np.searchsorted(ranked, thresholds)
    hits = ranked_late.size - np.searchsorted(ranked_late, thresholds)
    if settings.criterion == "cost":
        missed = ranked_late.size - hits
        loss = settings.missed_delay_cost * missed + (alerts - hits)
    elif settings.criterion == "f1":
        loss = -2 * hits / (alerts + ranked_late.size)
    else:
        loss = np.abs(alerts / ranked.size - settings.alert_rate)
    return float(thresholds[np.argmin(loss)])


def operating_at(
    threshold: float, label: NDArray[np.int8], score: NDArray[np.float64]
) -> Operating:
    """Return how a threshold does on flights, at least one of them late."""
    alert = score >= threshold
    hits = int(label[alert].sum())
    alerts = int(alert.sum())
    return Operating(
        threshold=threshold,
        alert_share=alerts / label.size,
        precision=hits / alerts if alerts else 0.0,
        recall=hits / int(label.sum()),
    )
