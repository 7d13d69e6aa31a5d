"""Features of the last hours: current departure and arrival delays, overdue flights."""

from __future__ import annotations

from typing import Final

from features.arithmetic import ratio, same, waited
from features.declare import columns as c
from features.declare.declarations import (
    CARRIER,
    CARRIER_AT_ORIGIN,
    DESTINATION,
    EVERYWHERE,
    ORIGIN,
    ROUTE,
    Entity,
    Feature,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
)
from features.declare.streams import ARRIVALS, CANCELLATIONS, COUNT, DEPARTURES, OVERDUE

_WHERE: Final[dict[str, tuple[Entity, str]]] = {
    "all": (EVERYWHERE, "at the three New York airports"),
    "origin": (ORIGIN, "at the origin"),
    "carrier": (CARRIER, "of the carrier"),
    "carrier_origin": (CARRIER_AT_ORIGIN, "of the carrier at the origin"),
    "destination": (DESTINATION, "to the destination"),
    "route": (ROUTE, "on the route"),
}
_STREAMS: Final = {"departure": DEPARTURES, "arrival": ARRIVALS}
_HOURS: Final = {
    "all": (1, 3, 8),
    "origin": (1, 3, 8),
    "carrier": (1, 3, 8),
    "carrier_origin": (3, 12),
    "destination": (3, 12),
    "route": (3, 12),
}


def _mean_delay(event: str, where: str, hours: int) -> Feature:
    words = f"Mean {event} delay of the {event}s"
    return _mean(event, "delay_min", where, hours, words, unit="min", least=-1440, most=2880)


def _late_share(event: str, where: str, hours: int) -> Feature:
    words = f"Share of {event}s 15 min late or more"
    return _mean(event, "late", where, hours, words, unit="share", least=0, most=1)


def _mean(
    event: str, measure: str, where: str, hours: int, what: str, *, unit: str, least: int, most: int
) -> Feature:
    (entity, words), stream = _WHERE[where], _STREAMS[event].name
    window = Minutes(before=60 * hours)
    return Feature(
        name=f"{event}_{measure.removesuffix('_min')}_{where}_{hours}h",
        family="recent",
        unit=unit,
        definition=f"{what} {words} in the last {hours} h.",
        null=f"no {event} in the window",
        inputs=(Sum(stream, measure, entity, window), Sum(stream, COUNT, entity, window)),
        compute=ratio,
        minimum=least,
        maximum=most,
    )


def _overdue_count(where: str) -> Feature:
    entity, words = _WHERE[where]
    return Feature(
        name=f"overdue_count_{where}",
        family="recent",
        unit="flights",
        definition=f"Flights {words} that should have left by now and have not (12 h at most).",
        null="never missing",
        inputs=(OpenIntervals(OVERDUE.name, COUNT, entity),),
        compute=same,
        minimum=0,
    )


def _overdue_minutes(where: str) -> Feature:
    entity, words = _WHERE[where]
    return Feature(
        name=f"overdue_minutes_{where}",
        family="recent",
        unit="min",
        definition=f"Total minutes by which the overdue flights {words} are overdue.",
        null="never missing",
        inputs=(
            OpenIntervals(OVERDUE.name, COUNT, entity),
            OpenIntervals(OVERDUE.name, "scheduled_at", entity),
            Own(c.PREDICTION_TIME),
        ),
        compute=waited,
        minimum=0,
    )


def _cancelled(where: str) -> Feature:
    entity, words = _WHERE[where]
    return Feature(
        name=f"cancelled_{where}_12h",
        family="recent",
        unit="flights",
        definition=f"Flights {words} whose cancellation became known in the last 12 h.",
        null="never missing",
        inputs=(Sum(CANCELLATIONS.name, COUNT, entity, Minutes(before=720)),),
        compute=same,
        minimum=0,
    )


FEATURES: Final = (
    *(
        _mean_delay(event, where, hours)
        for where, windows in _HOURS.items()
        for event in _STREAMS
        for hours in windows
    ),
    *(_late_share(event, where, 3) for where in ("all", "origin", "carrier") for event in _STREAMS),
    *(_overdue_count(where) for where in _WHERE if where != "route"),
    *(_overdue_minutes(where) for where in _WHERE if where != "route"),
    *(_cancelled(where) for where in ("all", "origin", "carrier")),
)
