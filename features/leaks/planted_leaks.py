"""Typical leaks, planted on purpose: the leak prover must find each of them.

They are part of the package because `ontime prove no-leak` plants them as well: a
proof without leaks is credible only if the same prover finds planted ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from features.arithmetic import difference, ratio, same
from features.arrays.arrow import to_events
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import (
    CARRIER,
    FLIGHT,
    MINUTES_PER_DAY,
    ORIGIN,
    ROUTE,
    TAIL,
    Days,
    Feature,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
)
from features.declare.streams import (
    ARRIVALS,
    CANCELLATIONS,
    COUNT,
    DEPARTURES,
    OVERDUE,
    SCHEDULE,
    STREAMS,
    WEATHER,
    Measure,
    Stream,
)
from features.offline.feature_table import table_of
from features.offline.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    import pyarrow as pa

    from features.arrays.event_arrays import Events, Ints
    from features.arrays.search import Bools
    from features.declare.declarations import Entity, Window

_YEARS_MIN: Final = 3 * 366 * MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class PlantedLeak:
    """A feature set with a mistake in it.

    Attributes:
        name: Short name of the mistake.
        mistake: The mistake in a sentence.
        features: The features that have it.
        streams: Streams that replace the declared ones of the same name.
        kernel: The kernel that resolves their inputs.
    """

    name: str
    mistake: str
    features: tuple[Feature, ...]
    streams: tuple[Stream, ...] = ()
    kernel: type[Kernel] = Kernel

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(feature.name for feature in self.features)

    def compute(
        self, flights: pa.Table, weather: pa.Table, wanted: Bools, *, horizon_min: int
    ) -> pa.Table:
        """Return the feature table with the mistake: a `features.leaks.prover.ComputeFeatures`."""
        kernel = self.kernel(
            *to_events(flights, weather),
            wanted,
            horizon_min=horizon_min,
            streams={**STREAMS, **{stream.name: stream for stream in self.streams}},
        )
        return table_of(kernel, flights, horizon_min=horizon_min, features=self.features)


class _MinuteLate(Kernel):
    """Uses what is known up to and including the prediction minute: `<=` instead of `<`."""

    def __init__(
        self,
        flights: Events,
        weather: Events,
        wanted: Bools,
        *,
        horizon_min: int,
        streams: Mapping[str, Stream],
    ) -> None:
        super().__init__(flights, weather, wanted, horizon_min=horizon_min - 1, streams=streams)


class _WithToday(Kernel):
    """Includes the day of the prediction in windows of whole days."""

    def _edges(self, window: Window) -> tuple[Ints, Ints]:
        start, end = super()._edges(window)
        return (start, end + MINUTES_PER_DAY) if isinstance(window, Days) else (start, end)


def _one(*inputs: Input, compute: Callable[..., Any] = same) -> tuple[Feature, ...]:
    """Return one feature that reads these inputs, as a feature set."""
    return (Feature("planted", "planted", "", "A planted leak.", "", inputs, compute),)


def _mean(stream: Stream, measure: str, entity: Entity, window: Window) -> tuple[Feature, ...]:
    """Return one mean, as a feature set."""
    total = Sum(stream.name, measure, entity, window)
    return _one(total, Sum(stream.name, COUNT, entity, window), compute=ratio)


_OVERDUE_WITH_END: Final = replace(OVERDUE, measures=(Measure("delay_min", c.DEPARTURE_DELAY),))
_DEPARTURES_WITH_END: Final = replace(
    DEPARTURES, measures=(Measure("late", c.ARRIVAL_DELAY, late_from=15),)
)
_LEGS_UNMASKED: Final = replace(
    SCHEDULE, measures=tuple(replace(measure, known_at=None) for measure in SCHEDULE.measures)
)
_CANCELLED_ON_SCHEDULE: Final = replace(
    CANCELLATIONS,
    at=c.SCHEDULED_DEPARTURE,
    measures=(Measure("cancelled", c.CANCELLATION_KNOWN, late_from=0),),
)

PLANTED: Final = (
    PlantedLeak(
        "own_departure_delay",
        "The flight's own departure delay is a feature.",
        _one(Own(c.DEPARTURE_DELAY)),
    ),
    PlantedLeak("own_air_time", "The flight's own air time is one.", _one(Own(c.AIR_TIME))),
    PlantedLeak(
        "own_arrival",
        "Actual arrival less scheduled arrival is a feature.",
        _one(Own(c.ARRIVAL_KNOWN), Own(c.SCHEDULED_ARRIVAL), compute=difference),
    ),
    PlantedLeak(
        "own_early_departure",
        "Departures are joined as of the scheduled departure: the flight's own early one gets in.",
        _one(Sum(DEPARTURES.name, COUNT, FLIGHT, Minutes(before=60, anchor="departure"))),
    ),
    PlantedLeak(
        "same_day_mean",
        "The mean delay of a day counts the flights later on that day.",
        _mean(DEPARTURES, "delay_min", ORIGIN, Minutes(before=720, after=720)),
    ),
    PlantedLeak(
        "rate_with_today",
        "The rate over the last 28 days counts today.",
        tuple(f for f in FEATURES if f.family == "history"),
        kernel=_WithToday,
    ),
    PlantedLeak(
        "target_encoding",
        "The carrier's share of late arrivals is taken over all the data.",
        _mean(ARRIVALS, "late", CARRIER, Minutes(before=_YEARS_MIN, after=_YEARS_MIN)),
    ),
    PlantedLeak(
        "window_with_its_end",
        "A window of 3 h closes after, not before, the minute of the prediction.",
        _mean(ARRIVALS, "delay_min", ORIGIN, Minutes(before=180, after=1)),
    ),
    PlantedLeak(
        "prediction_minute_known",
        "Everything known at the minute of the prediction counts: <= in place of <.",
        # A single flight number hardly ever has an event at a given minute.
        tuple(f for f in FEATURES if f.family == "recent" and f.entity != FLIGHT),
        kernel=_MinuteLate,
    ),
    PlantedLeak(
        "weather_by_hour",
        "Weather is joined by the hour it describes, not by when it is known.",
        _one(Latest(WEATHER.name, c.VISIBILITY, ORIGIN, 360, ago_min=-60)),
    ),
    PlantedLeak(
        "weather_in_the_wrong_zone",
        "Weather hours in UTC are taken for New York time.",
        _one(Latest(WEATHER.name, c.WIND_SPEED, ORIGIN, 360, ago_min=-300)),
    ),
    PlantedLeak(
        "leg_known_too_early",
        "The departure of the aircraft's last leg is read before it is known.",
        _one(Latest(SCHEDULE.name, "departed_at", TAIL, 5760, anchor="departure")),
        streams=(_LEGS_UNMASKED,),
    ),
    PlantedLeak(
        "overdue_with_final_delay",
        "Overdue flights count with the delay they end up with.",
        _one(OpenIntervals(OVERDUE.name, "delay_min", ORIGIN)),
        streams=(_OVERDUE_WITH_END,),
    ),
    PlantedLeak(
        "departed_with_arrival_delay",
        "Departed flights count as late by their arrival, which may be hours ahead.",
        _mean(DEPARTURES, "late", ORIGIN, Minutes(before=180)),
        streams=(_DEPARTURES_WITH_END,),
    ),
    PlantedLeak(
        "arrived_on_schedule",
        "Arrivals count from when they were due, not from when they were.",
        _mean(ARRIVALS, "delay_min", ROUTE, Minutes(before=720)),
        streams=(replace(ARRIVALS, at=c.SCHEDULED_ARRIVAL),),
    ),
    PlantedLeak(
        "cancelled_on_schedule",
        "A cancellation counts from the scheduled departure, before anyone knows of it.",
        _one(Sum(CANCELLATIONS.name, "cancelled", ORIGIN, Minutes(before=720))),
        streams=(_CANCELLED_ON_SCHEDULE,),
    ),
    PlantedLeak(
        "unpublished_schedule",
        "Traffic is counted further ahead than the schedule is published.",
        _one(Sum(SCHEDULE.name, COUNT, ORIGIN, Minutes(before=0, after=10 * MINUTES_PER_DAY))),
    ),
)
"""A test and `ontime prove no-leak` check that the prover finds each of them."""
