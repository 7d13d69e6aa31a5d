"""Request bodies: JSON decoded into strict structs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serving.schema.field_problems import (
    MOST_PROBLEMS,
    UNREADABLE,
    object_problems,
    plain_json,
    problems_of,
    require_unique,
)
from serving.schema.problems import FieldProblem, InvalidFlightError, InvalidRequestError
from serving.schema.raw_columns import RAW_COLUMNS, renamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from serving.schema.raw_columns import Renaming

# In place of `$`, which lets a last line feed through; JSON Schema reads it alike.
END: Final = r"(?![\s\S])"
INSTANT: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?" + END

Carrier: TypeAlias = Annotated[
    str, Meta(pattern="^[A-Z0-9]{2}$", max_length=2, description="Carrier code (IATA).")
]
Airport: TypeAlias = Annotated[
    str, Meta(pattern="^[A-Z0-9]{3}$", max_length=3, description="Airport code (FAA or IATA).")
]
ScheduledTime: TypeAlias = Annotated[
    str,
    Meta(
        pattern=INSTANT,
        max_length=32,
        description="ISO 8601 with an offset or Z; without one, local time at that airport.",
    ),
]


class PredictionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flight, named as its timetable names it."""

    carrier: Carrier
    flight_number: Annotated[int, Meta(ge=1, le=9999, description="Flight number.")]
    origin: Airport
    destination: Airport
    scheduled_departure: ScheduledTime
    scheduled_arrival: ScheduledTime
    tail_number: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Z0-9-]{2,10}" + END,
                max_length=10,
                description="Registration of the aircraft, when it is known.",
            ),
        ]
        | None
    ) = None
    as_of: (
        Annotated[
            str,
            Meta(
                pattern=INSTANT,
                max_length=32,
                description="Development only: take features as of this instant (with offset).",
            ),
        ]
        | None
    ) = None


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several flights in one request."""

    flights: Annotated[
        list[msgspec.Raw], Meta(min_length=1, description="Each as for one prediction.")
    ]


class LoadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model version that this server shall answer with: a version or an alias."""

    version: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z0-9][A-Za-z0-9._-]*" + END,
                max_length=64,
                description="Stay with this version of the registered model.",
            ),
        ]
        | UnsetType
    ) = UNSET
    alias: (
        Annotated[
            Literal["champion", "challenger", "Production", "Staging"],
            Meta(description="Follow this alias in the release document."),
        ]
        | UnsetType
    ) = UNSET


FIXES: Final[Mapping[str, str]] = {
    "carrier": 'Send the two-character code in upper case, such as "UA".',
    "flight_number": "Send a whole number from 1 to 9999, such as 389.",
    "origin": 'Send the three-character code in upper case, such as "JFK".',
    "destination": 'Send the three-character code in upper case, such as "SFO".',
    "scheduled_departure": 'Send local time at the origin, such as "2013-12-30T18:30", or an '
    'instant with its offset, such as "2013-12-30T23:30Z".',
    "scheduled_arrival": 'Send local time at the destination, such as "2013-12-30T22:21", or an '
    'instant with its offset, such as "2013-12-31T06:21Z".',
    "tail_number": 'Send the registration in upper case, such as "N510UA", or leave it out.',
    "as_of": 'Send an instant with its offset, such as "2013-12-31T12:00Z", or leave it out.',
    "flights": 'Send a list of flights, such as {"flights": [{"carrier": "UA", ...}]}.',
    "version": 'Send the version as a string, such as "3".',
    "alias": 'Send "champion" or "challenger" ("Production" and "Staging" mean the same).',
}

MEANINGS: Final[Mapping[str, str]] = {
    "carrier": "a carrier code of two capital letters or digits",
    "flight_number": "a whole number from 1 to 9999",
    "origin": "an airport code of three capital letters or digits",
    "destination": "an airport code of three capital letters or digits",
    "scheduled_departure": "a date and time as in ISO 8601",
    "scheduled_arrival": "a date and time as in ISO 8601",
    "tail_number": "a registration of 2 to 10 capital letters, digits or hyphens",
    "as_of": "a date and time as in ISO 8601",
    "flights": "a list with at least one flight",
    "version": "the name of a version",
    "alias": "an alias",
}

RequestT = TypeVar("RequestT", PredictionRequest, BatchRequest, LoadRequest)
_PREDICTION: Final = msgspec.json.Decoder(PredictionRequest)
_BATCH: Final = msgspec.json.Decoder(BatchRequest)
_LOAD: Final = msgspec.json.Decoder(LoadRequest)
_REQUIRED: Final = len(
    [each for each in msgspec.structs.fields(PredictionRequest) if each.required]
)


def parse_prediction(body: bytes) -> PredictionRequest:
    """Return the request in the body; types and shapes are checked, not yet what they mean.

    A body with columns of the raw flights (`flight`, `dest`, `sched_dep_time` ...) is accepted
    where they mean one thing only.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidFlightError: Names every invalid field.
    """
    try:
        request = _PREDICTION.decode(body)
    except UNREADABLE:
        return _explained_prediction(body)
    if b"\\" in body or body.count(b":") != _colons(request):
        require_unique(body)
    return request


def parse_batch(body: bytes, *, most: int) -> list[msgspec.Raw]:
    """Return the flights in the body, each still encoded.

    Args:
        body: The body.
        most: The most flights in one request.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidRequestError: There is no list of flights, or it is empty or too long.
    """
    flights = _parse(body, _BATCH, BatchRequest).flights
    if body.count(b'"flights"') != 1 or b"\\" in body:
        require_unique(body)
    if len(flights) > most:
        problem, fix = f"These are {len(flights)} flights.", f"Send at most {most} in a request."
        raise InvalidRequestError([FieldProblem("flights", problem, fix)])
    return flights


def parse_load(body: bytes) -> LoadRequest:
    """Return the request in the body: it names a version or an alias, and not both.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidRequestError: Names every invalid field.
    """
    request = _parse(body, _LOAD, LoadRequest)
    require_unique(body)
    if (request.version is UNSET) == (request.alias is UNSET):
        fix = 'Send {"version": "3"} or {"alias": "champion"}.'
        raise InvalidRequestError([FieldProblem("version", "Give a version or an alias.", fix)])
    return request


def _parse(body: bytes, decoder: msgspec.json.Decoder[RequestT], kind: type[RequestT]) -> RequestT:
    try:
        return decoder.decode(body)
    except UNREADABLE:
        # The decoder stops at the first error: decode again, slower, and report all of them.
        data = plain_json(body)
        raise problems_of(object_problems(data, kind, meanings=MEANINGS, fixes=FIXES)) from None


def _colons(request: PredictionRequest) -> int:
    """Return how many colons the body of a request has that names each field once.

    A body with more, such as one with a field twice or with a null, is read again.
    """
    given, times = _REQUIRED, [request.scheduled_departure, request.scheduled_arrival]
    if request.tail_number is not None:
        given += 1
    if request.as_of is not None:
        given += 1
        times.append(request.as_of)
    return given + sum(each.count(":") for each in times)


def _explained_prediction(body: bytes) -> PredictionRequest:
    """Return the request in a body that the decoder refused, or raise with every problem."""
    data = plain_json(body)
    require_unique(body)
    renaming = (
        renamed(data) if isinstance(data, dict) and not RAW_COLUMNS.isdisjoint(data) else None
    )
    fields: object = data if renaming is None else renaming.fields
    problems = list(
        islice(
            object_problems(fields, PredictionRequest, meanings=MEANINGS, fixes=FIXES),
            MOST_PROBLEMS + 1,
        )
    )
    wrong = {each.field for each in problems}
    if renaming is not None:
        problems = [*renaming.problems, *_by_column(problems, renaming)]
    if not problems:
        return msgspec.convert(fields, PredictionRequest)
    sound = {}
    if isinstance(fields, dict):
        known = PredictionRequest.__struct_fields__
        sound = {name: fields[name] for name in known if name in fields and name not in wrong}
    raise InvalidFlightError(problems_of(problems).errors, sound)


def _by_column(problems: Iterable[FieldProblem], renaming: Renaming) -> Iterator[FieldProblem]:
    """Yield the problems of fields, each under the column that was sent for it."""
    explained = {each.field for each in renaming.problems}
    for each in problems:
        column = renaming.sources.get(each.field)
        if column is None:
            yield each
        elif each.field in renaming.fields and column not in explained:
            yield FieldProblem(column, each.problem, each.fix)
