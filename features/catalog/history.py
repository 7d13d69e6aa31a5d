"""Features of the last 28 whole days: the usual delay of a route, carrier, flight and hour."""

from __future__ import annotations

from typing import Final

from features.arithmetic import ratio, scheduled_margin
from features.declare import columns as c
from features.declare.declarations import (
    CARRIER,
    CARRIER_AT_ORIGIN,
    CARRIER_TO_DESTINATION,
    DESTINATION,
    FLIGHT,
    MAX_WINDOW_DAYS,
    ORIGIN_HOUR,
    ROUTE,
    TAIL,
    Days,
    Entity,
    Feature,
    Own,
    Sum,
)
from features.declare.streams import ARRIVALS, COUNT

_DAYS: Final = Days(MAX_WINDOW_DAYS)
_WHAT: Final[dict[str, tuple[Entity, str]]] = {
    "carrier": (CARRIER, "of the carrier"),
    "destination": (DESTINATION, "to the destination"),
    "flight": (FLIGHT, "of the same flight number"),
    "route": (ROUTE, "on the route"),
    "carrier_origin": (CARRIER_AT_ORIGIN, "of the carrier from the origin"),
    "carrier_destination": (CARRIER_TO_DESTINATION, "of the carrier to the destination"),
    "origin_hour": (ORIGIN_HOUR, "from the origin in the same local hour of departure"),
    "tail": (TAIL, "of the aircraft"),
}


def _history(measure: str, of: str, *, unit: str, least: float, most: float) -> Feature:
    entity, words = _WHAT[of]
    name, text = {
        "late": (f"late_{of}_28d", "Share of arrivals 15 min late or more"),
        "delay_min": (f"delay_{of}_28d", "Mean arrival delay"),
        "lost_min": (f"lost_{of}_28d", "Mean of arrival delay less departure delay"),
    }[measure]
    return Feature(
        name=name,
        family="history",
        unit=unit,
        definition=f"{text} {words} over the 28 whole UTC days before the prediction time.",
        null="no arrival in the window" + (", or no tail number" if entity == TAIL else ""),
        inputs=(
            Sum(ARRIVALS.name, measure, entity, _DAYS),
            Sum(ARRIVALS.name, COUNT, entity, _DAYS),
        ),
        compute=ratio,
        minimum=least,
        maximum=most,
    )


_LATE: Final = (
    "carrier",
    "flight",
    "route",
    "carrier_origin",
    "carrier_destination",
    "origin_hour",
)
_DELAY: Final = (
    "carrier",
    "destination",
    "flight",
    "route",
    "carrier_origin",
    "origin_hour",
    "tail",
)

FEATURES: Final = (
    *(_history("late", of, unit="share", least=0, most=1) for of in _LATE),
    *(_history("delay_min", of, unit="min", least=-1440, most=2880) for of in _DELAY),
    *(_history("lost_min", of, unit="min", least=-1440, most=1440) for of in ("flight", "route")),
    Feature(
        name="margin_route_28d",
        family="history",
        unit="min",
        definition="Scheduled duration less the mean air time on the route over the last 28 days.",
        null="no arrival in the window",
        inputs=(
            Own(c.SCHEDULED_ARRIVAL),
            Own(c.SCHEDULED_DEPARTURE),
            Sum(ARRIVALS.name, "air_time_min", ROUTE, _DAYS),
            Sum(ARRIVALS.name, COUNT, ROUTE, _DAYS),
        ),
        compute=scheduled_margin,
        minimum=-1440,
        maximum=1440,
    ),
)
