"""Flights named by the columns of the raw files, as clients of an older service send them.

Accepted where a column means one thing only: `flight`, `dest` and `tailnum` are renamed; `year`,
`month`, `day` and `sched_dep_time` make the departure; `sched_arr_time` is the first such time
after it. Columns that the service does not need, or that are known only afterwards, are refused.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from serving.schema.field_problems import not_a
from serving.schema.problems import FieldProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

_RENAMED: Final[Mapping[str, str]] = {
    "flight": "flight_number",
    "dest": "destination",
    "tailnum": "tail_number",
}
_DAY: Final = ("year", "month", "day")
_DEPARTS, _ARRIVES = "sched_dep_time", "sched_arr_time"
_LATER: Final = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
_USELESS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_LATER, "It is known only after the departure."),
    "distance": "The service knows the distance of every route.",
    "hour": "It repeats sched_dep_time.",
    "minute": "It repeats sched_dep_time.",
    "time_hour": "It repeats sched_dep_time.",
}
RAW_COLUMNS: Final = frozenset({*_RENAMED, *_DAY, _DEPARTS, _ARRIVES, *_USELESS})
_CLOCK: Final = "a clock time from 0 to 2359, such as 1830 for 18:30"
_CLOCK_FIX: Final = "Send hours and minutes as one whole number, such as 1830."
_MIDNIGHT: Final = 2400
_MINUTES: Final = 60


@dataclass(slots=True)
class Renaming:
    """A flight with the columns of the raw files replaced by the fields of a request.

    Attributes:
        fields: The fields of a request; those that could not be made are absent.
        sources: By field, the column or columns that it was made from.
        problems: Why columns could not be used.
    """

    fields: dict[str, object]
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[FieldProblem] = field(default_factory=list)


def renamed(data: Mapping[str, object]) -> Renaming:
    """Return a flight with its raw columns replaced, and why some could not be used."""
    found = Renaming({name: value for name, value in data.items() if name not in RAW_COLUMNS})
    found.problems += [
        FieldProblem(name, why, "Leave it out.") for name, why in _USELESS.items() if name in data
    ]
    for column, name in _RENAMED.items():
        if column in data and _is_free(name, column, found):
            found.fields[name] = data[column]
            found.sources[name] = column
    if not data.keys().isdisjoint((*_DAY, _DEPARTS)):
        _departure(data, found)
    if _ARRIVES in data:
        _arrival(data[_ARRIVES], found)
    return found


def _is_free(name: str, column: str, found: Renaming) -> bool:
    if name not in found.fields:
        return True
    problem = f"It means the same as {name}, which was sent as well."
    found.problems.append(FieldProblem(column, problem, "Send one of the two."))
    return False


def _departure(data: Mapping[str, object], found: Renaming) -> None:
    name, parts = "scheduled_departure", (*_DAY, _DEPARTS)
    given = next(part for part in parts if part in data)
    if not _is_free(name, given, found):
        return
    found.sources[name] = _DEPARTS
    problems = [
        FieldProblem(part, "It is missing.", _fix(part)) for part in parts if part not in data
    ]
    numbers = {part: data[part] for part in parts if _is_whole(data.get(part))}
    problems += [
        FieldProblem(
            part, not_a(data[part], f"a whole number, the {part} of the departure"), _fix(part)
        )
        for part in _DAY
        if part in data and part not in numbers
    ]
    clock = _clock(data[_DEPARTS]) if _DEPARTS in data else None
    if _DEPARTS in data and (clock is None or clock == _MIDNIGHT):
        problems.append(FieldProblem(_DEPARTS, not_a(data[_DEPARTS], _CLOCK), _CLOCK_FIX))
    if not problems and clock is not None:
        try:
            year, month, number = (int(str(numbers[part])) for part in _DAY)
            day = dt.datetime(year, month, number)  # noqa: DTZ001 - local time
        except (ValueError, OverflowError):
            text = "-".join(str(numbers[part]) for part in _DAY)[:40]
            fix = "Send the local date of the departure."
            problems.append(FieldProblem("day", f"There is no day {text}.", fix))
        else:
            found.fields[name] = _at(day, clock)
    found.problems += problems


def _arrival(value: object, found: Renaming) -> None:
    name = "scheduled_arrival"
    if not _is_free(name, _ARRIVES, found):
        return
    found.sources[name] = _ARRIVES
    clock = _clock(value)
    if clock is None:
        found.problems.append(FieldProblem(_ARRIVES, not_a(value, _CLOCK), _CLOCK_FIX))
        return
    departure = _local(found.fields.get("scheduled_departure"))
    if departure is None:
        if "scheduled_departure" in found.fields:
            fix = 'Send scheduled_arrival, such as "2013-12-30T22:21".'
            problem = "It has no day, as the departure is not a local time."
            found.problems.append(FieldProblem(_ARRIVES, problem, fix))
        return
    hours, rest = divmod(clock, 100)
    arrival = dt.timedelta(hours=hours, minutes=rest)
    day = departure.replace(hour=0, minute=0)
    if arrival <= departure - day:
        arrival += dt.timedelta(days=1)
    found.fields[name] = _text(day + arrival)


def _clock(value: object) -> int | None:
    """Return hours and minutes such as 1830, 2400 included; None if they are no time."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MIDNIGHT and value % 100 < _MINUTES else None


def _at(day: dt.datetime, clock: int) -> str:
    return _text(day.replace(hour=clock // 100, minute=clock % 100))


def _text(at: dt.datetime) -> str:
    return at.isoformat(timespec="minutes")


def _local(text: object) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is None else None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fix(part: str) -> str:
    if part == _DEPARTS:
        return _CLOCK_FIX
    return f"Send the {part} of the departure at the origin as a whole number."
