"""Resolves a request to a flight: airports and distance by the network, local times to UTC."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from features.online.lookup import Flight
from serving.schema.clock import minutes
from serving.schema.problems import FieldProblem, InvalidRequestError
from serving.schema.requests import FIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serving.online.network import Network
    from serving.schema.requests import PredictionRequest

YEARS: Final = range(1990, 2101)
_LONGEST_MIN: Final = 24 * 60
_Result = TypeVar("_Result")
_MINUTE: Final = dt.timedelta(minutes=1)


def to_flight(request: PredictionRequest, network: Network) -> Flight:
    """Return the flight that the request names, with its times as UTC minutes.

    A local time that a clock shows twice (daylight saving ends) is the first of the two for a
    departure; for an arrival it is the first that is after the departure.

    Raises:
        InvalidRequestError: Names a field that cannot be, such as an unknown airport;
            `flight_problems` returns those of all fields.
    """
    faults = list(_airport_problems(request.origin, request.destination, network))
    if faults:
        raise InvalidRequestError(faults)
    origin_zone = _zone(network.time_zones[request.origin])
    destination_zone = _zone(network.time_zones[request.destination])
    departure = _instants("scheduled_departure", request.scheduled_departure, origin_zone)[0]
    arrival = _arrival(departure, request.scheduled_arrival, destination_zone)
    return Flight(
        carrier=request.carrier,
        flight_number=request.flight_number,
        origin=request.origin,
        destination=request.destination,
        scheduled_departure_at=departure,
        scheduled_arrival_at=arrival,
        origin_utc_offset_min=_offset(departure, origin_zone),
        destination_utc_offset_min=_offset(arrival, destination_zone),
        distance_mi=network.distance_mi(f"{request.origin}-{request.destination}", departure),
        tail_number=request.tail_number,
    )


def parse_as_of(text: str) -> int:
    """Return an instant with an offset as minutes since the epoch, rounded down.

    Raises:
        InvalidRequestError: It is no instant, or has no offset.
    """
    at = _clock("as_of", text)
    if at.tzinfo is None:
        raise _invalid("as_of", f"'{text}' has no offset.")
    return minutes(at)


def flight_problems(
    fields: Mapping[str, object], network: Network, *, allow_as_of: bool
) -> list[FieldProblem]:
    """Return the problem of every field of a flight that cannot be.

    Args:
        fields: Well-written fields of a request; any of them may be absent.
        network: Airports and routes.
        allow_as_of: Whether a request may set the instant of its features.
    """
    text = {name: value for name, value in fields.items() if isinstance(value, str)}
    origin, destination = text.get("origin"), text.get("destination")
    found = list(_airport_problems(origin, destination, network))
    departure: int | None = None
    if "scheduled_departure" in text:
        name = "scheduled_departure"
        instants = _collect(found, _instants, name, text[name], _zone_at(origin, network))
        departure = instants[0] if instants and origin in network.time_zones else None
    if "scheduled_arrival" in text:
        name, zone = "scheduled_arrival", _zone_at(destination, network)
        if departure is None or destination not in network.time_zones:
            _collect(found, _instants, name, text[name], zone)
        else:
            _collect(found, _arrival, departure, text[name], zone)
    if "as_of" in text:
        _collect(found, require_as_of, text["as_of"], allowed=allow_as_of)
    return found


def require_as_of(text: str, *, allowed: bool) -> int:
    """Return the instant of the features that a request sets, in minutes since the epoch.

    Raises:
        InvalidRequestError: It is no instant, has no offset, or may not be set.
    """
    if not allowed:
        problem = "This service answers as of now."
        raise InvalidRequestError([FieldProblem("as_of", problem, "Leave it out.")])
    return parse_as_of(text)


def _collect(
    found: list[FieldProblem], check: Callable[..., _Result], *given: object, **options: object
) -> _Result | None:
    """Return what a check returns; None, and its problems added, if it raises."""
    try:
        return check(*given, **options)
    except InvalidRequestError as error:
        found += error.errors
        return None


def _zone_at(airport: str | None, network: Network) -> ZoneInfo:
    """Return the zone of an airport; of one that is not known, one without skipped times."""
    return _zone(network.time_zones.get(airport or "", "UTC"))


def _airport_problems(
    origin: str | None, destination: str | None, network: Network
) -> Iterator[FieldProblem]:
    unknown = False
    for name, code in (("origin", origin), ("destination", destination)):
        if code is not None and code not in network.time_zones:
            unknown = True
            yield FieldProblem(
                name,
                f"'{code}' is not one of the {len(network.time_zones)} airports that are known.",
                "Check the code; a new airport is known once its airports file is ingested "
                "(`make run`).",
            )
    if unknown or origin is None:
        return
    if origin not in network.origins:
        served = ", ".join(network.origins)
        problem = f"The model has no departures from '{origin}'."
        yield FieldProblem("origin", problem, f"Ask for a departure from {served}.")
    elif origin == destination:
        problem = f"It is the origin, '{origin}', again."
        yield FieldProblem("destination", problem, FIXES["destination"])


@functools.cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _instants(name: str, text: str, zone: ZoneInfo) -> tuple[int, ...]:
    """Return the minutes that the text may mean, earliest first: two in a repeated hour."""
    at = _clock(name, text)
    if at.second or at.microsecond:
        raise _invalid(name, f"'{text}' has seconds, and timetables have whole minutes.")
    if at.tzinfo is not None:
        return (minutes(at),)
    first = at.replace(tzinfo=zone)
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():  # nearly always: no clock is being changed
        return (minutes(first.astimezone(dt.UTC)),)
    if first.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise _invalid(name, f"'{text}' is skipped by the clocks in {zone.key} (daylight saving).")
    return tuple(minutes(each.astimezone(dt.UTC)) for each in (first, second))


def _clock(name: str, text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid(name, f"'{text}' is not a date and time.") from error
    if at.year not in YEARS:
        raise _invalid(name, f"'{text}' is not in the years {YEARS[0]} to {YEARS[-1]}.")
    return at


def _arrival(departure: int, text: str, zone: ZoneInfo) -> int:
    name = "scheduled_arrival"
    arrival = next((at for at in _instants(name, text, zone) if at > departure), None)
    if arrival is None:
        raise _invalid(name, f"'{text}' is not after the departure.")
    if arrival - departure > _LONGEST_MIN:
        raise _invalid(name, f"'{text}' is more than 24 hours after the departure.")
    return arrival


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = dt.datetime.fromtimestamp(at * 60, zone).utcoffset() or dt.timedelta()
    return offset // _MINUTE


def _invalid(name: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError([FieldProblem(name, problem, FIXES[name])])
