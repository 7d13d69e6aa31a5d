"""The evaluation of a model on flights that it was not trained on: metrics, intervals, slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.evaluate.bootstrap import Interval, Resampling, interval, resampled, resampled_auc
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.evaluate.threshold import Operating, operating_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from training.settings import EvaluationSettings

SCHEMA: Final = 1


class Slice(msgspec.Struct, frozen=True):
    """The flights that share one value of one property, such as origin JFK.

    Attributes:
        by: The property.
        value: Its value.
        flights: How many.
        late_share: Share that arrived late.
        auc: AUC of the model within the slice.
        naive_auc: AUC of the naive model within the slice.
        over_naive: The difference of the two.
    """

    by: str
    value: str
    flights: int
    late_share: float
    auc: float
    naive_auc: float
    over_naive: Interval


class CalibrationBin(msgspec.Struct, frozen=True):
    """The flights whose probabilities lie in one bin: predicted and observed share of late ones."""

    flights: int
    mean_probability: float
    late_share: float


class Evaluation(msgspec.Struct, frozen=True):
    """The evaluation of a model on the test part.

    Attributes:
        schema: Version of this format.
        flights: Labelled flights of the test part.
        late_share: Share of them that arrived late.
        first_day: The first of their days.
        last_day: The last of their days.
        model: Every metric of the model, by name.
        naive: Every metric of the naive model, by name.
        over_naive: AUC above that of the naive model.
        operating: How the operating threshold does.
        calibration: Predicted and observed shares, by bins of the probability.
        slices: AUC beside the naive model's, for each slice of enough flights.
    """

    schema: int
    flights: int
    late_share: float
    first_day: str
    last_day: str
    model: dict[str, Interval]
    naive: dict[str, Interval]
    over_naive: Interval
    operating: Operating
    calibration: tuple[CalibrationBin, ...]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Flights with their labels and the probabilities of two models.

    Attributes:
        label: 1 for a late arrival, else 0; both occur.
        days: Local date of the scheduled departure.
        score: The model's probability.
        naive: The naive model's probability.
        properties: What the flights are sliced by: a value per flight, by name.
    """

    label: NDArray[np.int8]
    days: NDArray[np.datetime64]
    score: NDArray[np.float64]
    naive: NDArray[np.float64]
    properties: Mapping[str, NDArray[np.str_]]


def evaluate(flights: Scored, threshold: float, settings: EvaluationSettings) -> Evaluation:
    """Return the evaluation of a model: metrics with intervals, beside the naive model's."""
    samples = Resampling.of_days(flights.days, settings)
    model, model_samples = _quality(flights.label, flights.score, samples, settings)
    naive, naive_samples = _quality(flights.label, flights.naive, samples, settings)
    over_naive = interval(
        model[AUC].value - naive[AUC].value,
        model_samples[AUC] - naive_samples[AUC],
        settings.confidence,
    )
    return Evaluation(
        schema=SCHEMA,
        flights=flights.label.size,
        late_share=float(flights.label.mean()),
        first_day=str(flights.days.min()),
        last_day=str(flights.days.max()),
        model=model,
        naive=naive,
        over_naive=over_naive,
        operating=operating_at(threshold, flights.label, flights.score),
        calibration=_calibration(flights.label, flights.score, settings.calibration_bins),
        slices=tuple(_slices(flights, samples, settings)),
    )


def quality_of(
    flights: Scored, score: NDArray[np.float64], settings: EvaluationSettings
) -> dict[str, Interval]:
    """Return every metric of other probabilities of the same flights, on the same samples."""
    samples = Resampling.of_days(flights.days, settings)
    return _quality(flights.label, score, samples, settings)[0]


def auc_difference(
    flights: Scored, other: NDArray[np.float64], settings: EvaluationSettings
) -> Interval:
    """Return how far the model's AUC lies above another's on the same flights and samples."""
    return auc_difference_of(flights.label, flights.days, flights.score, other, settings)


def auc_difference_of(
    label: NDArray[np.int8],
    days: NDArray[np.datetime64],
    score: NDArray[np.float64],
    other: NDArray[np.float64],
    settings: EvaluationSettings,
) -> Interval:
    """Return how far the AUC of some probabilities lies above that of others of the same flights.

    Args:
        label: 1 for a late arrival, else 0.
        days: Local date of the scheduled departure.
        score: The probabilities.
        other: The others.
        settings: How the samples of days are drawn.
    """
    samples = Resampling.of_days(days, settings)
    return _auc_difference(label, score, other, samples, settings)[2]


def _quality(
    label: NDArray[np.int8],
    score: NDArray[np.float64],
    samples: Resampling,
    settings: EvaluationSettings,
) -> tuple[dict[str, Interval], dict[str, NDArray[np.float64]]]:
    ranked = ranking(label, score, bins=settings.calibration_bins)
    values = measure(ranked, np.ones(label.size), settings.alert_rates)
    drawn = resampled(ranked, samples, settings.alert_rates)
    named = {
        name: interval(value, drawn[name], settings.confidence) for name, value in values.items()
    }
    return named, drawn


def _auc_difference(
    label: NDArray[np.int8],
    score: NDArray[np.float64],
    other: NDArray[np.float64],
    samples: Resampling,
    settings: EvaluationSettings,
) -> tuple[float, float, Interval]:
    """Return both AUCs and their difference."""
    rankings = [ranking(label, each, bins=settings.calibration_bins) for each in (score, other)]
    mine, theirs = (measure(each, np.ones(label.size), ())[AUC] for each in rankings)
    drawn = [resampled_auc(label, each, samples) for each in (score, other)]
    return mine, theirs, interval(mine - theirs, drawn[0] - drawn[1], settings.confidence)


def _slices(flights: Scored, samples: Resampling, settings: EvaluationSettings) -> Iterator[Slice]:
    for by, values in flights.properties.items():
        for value in np.unique(values):
            inside = values == value
            label = flights.label[inside]
            if label.size < settings.slice_flights or not 0 < label.sum() < label.size:
                continue
            auc, naive_auc, over_naive = _auc_difference(
                label,
                flights.score[inside],
                flights.naive[inside],
                samples.only(inside),
                settings,
            )
            late = float(label.mean())
            yield Slice(by, str(value), label.size, late, auc, naive_auc, over_naive)


def _calibration(
    label: NDArray[np.int8], score: NDArray[np.float64], bins: int
) -> tuple[CalibrationBin, ...]:
    which = np.minimum((score * bins).astype(np.int64), bins - 1)
    return tuple(
        CalibrationBin(
            flights=int(inside.sum()),
            mean_probability=float(score[inside].mean()),
            late_share=float(label[inside].mean()),
        )
        for inside in (which == each for each in range(bins))
        if inside.any()
    )
