"""Features of the aircraft (tail number): its last known legs and its slack.

The source has the tail number that actually flew, so a swap of aircraft after the prediction time
is visible: a small leak of the source. The model card reports the loss without these features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.arithmetic import (
    delay_so_far,
    has_left,
    minutes_since,
    same,
    slack_after_leg,
    turnaround_slack,
)
from features.declare import columns as c
from features.declare.declarations import (
    MAX_WINDOW_MIN,
    TAIL,
    Feature,
    Input,
    Latest,
    Minutes,
    Own,
    Sum,
)
from features.declare.streams import ARRIVALS, COUNT, DEPARTURES, SCHEDULE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DEPARTURE: Final = Own(c.SCHEDULED_DEPARTURE)
_PREDICTION: Final = Own(c.PREDICTION_TIME)
_REACH: Final = MAX_WINDOW_MIN


def _last(stream: str, measure: str) -> Latest:
    return Latest(stream, measure, TAIL, _REACH)


def _leg(measure: str) -> Latest:
    return Latest(SCHEDULE.name, measure, TAIL, _REACH, anchor="departure")


_LEG_DEPARTURE: Final = _leg("departure_at")
_LEG_ARRIVAL: Final = _leg("arrival_at")
_LEG_DEPARTED: Final = _leg("departed_at")


def _tail(
    name: str,
    definition: str,
    inputs: tuple[Input, ...],
    compute: Callable[..., Any],
    *,
    unit: str = "min",
    minimum: float | None = None,
    null: str = "no tail number, or no such leg within 4 days",
) -> Feature:
    return Feature(name, "tail", unit, definition, null, inputs, compute, minimum=minimum)


FEATURES: Final = (
    _tail(
        "tail_since_departure",
        "Minutes from the aircraft's last known departure from New York to this departure.",
        (_DEPARTURE, _last(DEPARTURES.name, "known_at")),
        minutes_since,
        minimum=0,
    ),
    _tail(
        "tail_departure_delay",
        "Departure delay of the aircraft's last known departure from New York.",
        (_last(DEPARTURES.name, "delay_min"),),
        same,
    ),
    _tail(
        "tail_since_arrival",
        "Minutes from the last known arrival of the aircraft, out of New York, to this departure.",
        (_DEPARTURE, _last(ARRIVALS.name, "known_at")),
        minutes_since,
        minimum=0,
    ),
    _tail(
        "tail_arrival_delay",
        "Arrival delay of the last known arrival of the aircraft, out of New York.",
        (_last(ARRIVALS.name, "delay_min"),),
        same,
    ),
    _tail(
        "tail_legs_16h",
        "Departures of the aircraft from New York scheduled in the 16 h before this one.",
        (Sum(SCHEDULE.name, COUNT, TAIL, Minutes(before=960, anchor="departure")),),
        same,
        unit="flights",
        minimum=0,
        null="never missing; 0 without a tail number",
    ),
    _tail(
        "tail_late_16h",
        "Arrivals of the aircraft 15 min late or more in the last 16 h.",
        (Sum(ARRIVALS.name, "late", TAIL, Minutes(before=960)),),
        same,
        unit="flights",
        minimum=0,
        null="never missing; 0 without a tail number",
    ),
    _tail(
        "leg_since_schedule",
        "Minutes between the scheduled departures of the aircraft's previous leg and of this one.",
        (_DEPARTURE, _LEG_DEPARTURE),
        minutes_since,
        minimum=0,
    ),
    _tail(
        "leg_slack",
        "Minutes the aircraft can lose on its way out and back since its previous leg.",
        (_DEPARTURE, _LEG_DEPARTURE, _LEG_ARRIVAL),
        turnaround_slack,
    ),
    _tail(
        "leg_delay",
        "Departure delay of the aircraft's previous leg, as far as it is known.",
        (_PREDICTION, _LEG_DEPARTURE, _LEG_DEPARTED),
        delay_so_far,
    ),
    _tail(
        "leg_left",
        "1 when the aircraft's previous leg is known to have left, else 0.",
        (_LEG_DEPARTURE, _LEG_DEPARTED),
        has_left,
        unit="0 or 1",
        minimum=0,
    ),
    _tail(
        "leg_slack_left",
        "Slack of the aircraft less the delay of its previous leg so far.",
        (_PREDICTION, _DEPARTURE, _LEG_DEPARTURE, _LEG_ARRIVAL, _LEG_DEPARTED),
        slack_after_leg,
    ),
)
