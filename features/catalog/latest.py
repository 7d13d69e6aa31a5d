"""Features of the last known delay, and of the minutes that flights lose or gain en route.

They were selected on flights of July, August and October with models of the months before; the test
part was not used (ADR 0011).
"""

from __future__ import annotations

from typing import Final

from features.arithmetic import ratio, same
from features.declare.declarations import (
    CARRIER,
    CARRIER_AT_ORIGIN,
    DESTINATION,
    EVERYWHERE,
    FLIGHT,
    MINUTES_PER_DAY,
    ORIGIN,
    ROUTE,
    Entity,
    Feature,
    Latest,
    Minutes,
    Sum,
)
from features.declare.streams import ARRIVALS, COUNT, DEPARTURES

_WHERE: Final[dict[str, tuple[Entity, str]]] = {
    "all": (EVERYWHERE, "from the three New York airports"),
    "origin": (ORIGIN, "from the origin"),
    "carrier": (CARRIER, "of the carrier"),
    "destination": (DESTINATION, "to the destination"),
    "route": (ROUTE, "on the route"),
    "carrier_origin": (CARRIER_AT_ORIGIN, "of the carrier from the origin"),
    "flight": (FLIGHT, "of the same flight number"),
}
_STREAMS: Final = {"departure": DEPARTURES, "arrival": ARRIVALS}


def _lost(where: str, hours: int) -> Feature:
    entity, words = _WHERE[where]
    window = Minutes(before=60 * hours)
    return Feature(
        name=f"lost_{where}_{hours}h",
        family="recent",
        unit="min",
        definition=(
            "Mean of arrival delay less departure delay of the arrivals of flights "
            f"{words} in the last {hours} h."
        ),
        null="no arrival in the window",
        inputs=(
            Sum(ARRIVALS.name, "lost_min", entity, window),
            Sum(ARRIVALS.name, COUNT, entity, window),
        ),
        compute=ratio,
        minimum=-1440,
        maximum=1440,
    )


def _last_delay(event: str, where: str) -> Feature:
    entity, words = _WHERE[where]
    return Feature(
        name=f"last_{event}_delay_{where}",
        family="recent",
        unit="min",
        definition=f"Delay of the last known {event} of a flight {words}.",
        null="none within 24 h",
        inputs=(Latest(_STREAMS[event].name, "delay_min", entity, MINUTES_PER_DAY),),
        compute=same,
        minimum=-1440,
        maximum=2880,
    )


FEATURES: Final = (
    *(_last_delay(event, where) for where in _WHERE for event in _STREAMS),
    *(_lost(where, hours) for where in _WHERE if where != "flight" for hours in (3, 12)),
)
