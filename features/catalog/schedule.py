"""Features of the published schedule: the flight's own times, its calendar day, the traffic."""

from __future__ import annotations

from typing import Final

from features.arithmetic import (
    days_from_holiday,
    difference,
    minute_of_day,
    same,
    weekday,
)
from features.declare import columns as c
from features.declare.declarations import (
    CARRIER_AT_ORIGIN,
    DESTINATION,
    ORIGIN,
    Entity,
    Feature,
    Minutes,
    Own,
    Sum,
    UntilDeparture,
)
from features.declare.streams import COUNT, SCHEDULE

_DEPARTURE: Final = Own(c.SCHEDULED_DEPARTURE)
_ARRIVAL: Final = Own(c.SCHEDULED_ARRIVAL)
_NEVER: Final = "never missing"


def _category(column: str, definition: str) -> Feature:
    return Feature(
        name=column,
        family="schedule",
        unit="code",
        definition=definition,
        null=_NEVER,
        inputs=(Own(column),),
        compute=same,
        dtype="string",
    )


def _traffic(name: str, entity: Entity, where: str, window: Minutes | UntilDeparture) -> Feature:
    when = (
        "between the prediction time and its scheduled departure"
        if isinstance(window, UntilDeparture)
        else f"from {window.before} minutes before to {window.after - 1} minutes after its own"
    )
    return Feature(
        name=name,
        family="schedule",
        unit="flights",
        definition=f"Departures scheduled {where} {when}.",
        null=_NEVER,
        inputs=(Sum(SCHEDULE.name, COUNT, entity, window),),
        compute=same,
        minimum=0,
    )


_AROUND: Final = Minutes(before=60, after=61, anchor="departure")

FEATURES: Final = (
    _category(c.CARRIER, "Carrier code of the flight."),
    _category(c.ORIGIN, "Airport of departure."),
    _category(c.DESTINATION, "Airport of arrival."),
    Feature(
        name="departure_minute",
        family="schedule",
        unit="min",
        definition="Local minute of the day of the scheduled departure.",
        null=_NEVER,
        inputs=(_DEPARTURE, Own(c.ORIGIN_OFFSET)),
        compute=minute_of_day,
        minimum=0,
        maximum=1439,
    ),
    Feature(
        name="arrival_minute",
        family="schedule",
        unit="min",
        definition="Local minute of the day of the scheduled arrival.",
        null=_NEVER,
        inputs=(_ARRIVAL, Own(c.DESTINATION_OFFSET)),
        compute=minute_of_day,
        minimum=0,
        maximum=1439,
    ),
    Feature(
        name="scheduled_duration",
        family="schedule",
        unit="min",
        definition="Minutes from the scheduled departure to the scheduled arrival.",
        null=_NEVER,
        inputs=(_ARRIVAL, _DEPARTURE),
        compute=difference,
        minimum=0,
        maximum=1440,
    ),
    Feature(
        name="distance",
        family="schedule",
        unit="mi",
        definition="Distance between the two airports.",
        null="the source does not tell it",
        inputs=(Own(c.DISTANCE),),
        compute=same,
        minimum=0,
    ),
    Feature(
        name="departure_weekday",
        family="calendar",
        unit="1 = Monday",
        definition="Local ISO weekday of the scheduled departure.",
        null=_NEVER,
        inputs=(_DEPARTURE, Own(c.ORIGIN_OFFSET)),
        compute=weekday,
        minimum=1,
        maximum=7,
    ),
    Feature(
        name="days_from_holiday",
        family="calendar",
        unit="days",
        definition="Signed days from the nearest US federal holiday, limited to -8 and 8.",
        null=_NEVER,
        inputs=(_DEPARTURE, Own(c.ORIGIN_OFFSET)),
        compute=days_from_holiday,
        minimum=-8,
        maximum=8,
    ),
    _traffic("traffic_origin", ORIGIN, "at the origin", _AROUND),
    _traffic("traffic_carrier", CARRIER_AT_ORIGIN, "by the carrier at the origin", _AROUND),
    _traffic("traffic_destination", DESTINATION, "to the destination", _AROUND),
    _traffic("ahead_origin", ORIGIN, "at the origin", UntilDeparture()),
    _traffic("ahead_carrier", CARRIER_AT_ORIGIN, "by the carrier at the origin", UntilDeparture()),
    _traffic("ahead_destination", DESTINATION, "to the destination", UntilDeparture()),
)
