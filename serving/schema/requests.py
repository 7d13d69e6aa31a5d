"""Request bodies: JSON decoded into strict structs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serving.schema.problems import FieldProblem, InvalidRequestError, MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Mapping

# In place of `$`, which lets a last line feed through; JSON Schema reads it alike.
END: Final = r"(?![\s\S])"
INSTANT: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?" + END
_SHOWN: Final = 60

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

RequestT = TypeVar("RequestT", PredictionRequest, BatchRequest, LoadRequest)
_PREDICTION: Final = msgspec.json.Decoder(PredictionRequest)
_BATCH: Final = msgspec.json.Decoder(BatchRequest)
_LOAD: Final = msgspec.json.Decoder(LoadRequest)


def parse_prediction(body: bytes) -> PredictionRequest:
    """Return the request in the body; types and shapes are checked, not yet what they mean.

    Raises:
        MalformedBodyError: The body is not JSON.
        InvalidRequestError: Names every invalid field.
    """
    return _parse(body, _PREDICTION, PredictionRequest)


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
    if (request.version is UNSET) == (request.alias is UNSET):
        fix = 'Send {"version": "3"} or {"alias": "champion"}.'
        raise InvalidRequestError([FieldProblem("version", "Give a version or an alias.", fix)])
    return request


def _parse(body: bytes, decoder: msgspec.json.Decoder[RequestT], kind: type[RequestT]) -> RequestT:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The decoder stops at the first error: decode again, slower, and report all of them.
        raise InvalidRequestError(_faults(_plain_json(body), kind)) from None


def _plain_json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body, type=object)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBodyError(
            f"The body cannot be read as JSON ({error}): send one JSON object in UTF-8."
        ) from error


def _faults(data: object, kind: type[msgspec.Struct]) -> list[FieldProblem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if not isinstance(data, dict):
        fix = f"Send an object with {', '.join(fields)}."
        return [FieldProblem("body", "The body is JSON, but not an object.", fix)]
    faults = []
    for name, field in fields.items():
        if name not in data and field.required:
            faults.append(FieldProblem(name, "It is missing.", FIXES[name]))
        elif name in data and (problem := _fault(data[name], field.type)):
            faults.append(FieldProblem(name, problem, FIXES[name]))
    return faults + [_unknown(name, list(fields)) for name in data if name not in fields]


def _fault(value: object, kind: type) -> str | None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return f"{error}."
    return None


def _unknown(name: str, known: list[str]) -> FieldProblem:
    close = difflib.get_close_matches(name[:_SHOWN], known, n=1)
    fix = f"Did you mean {close[0]}?" if close else f"Known fields are {', '.join(known)}."
    return FieldProblem(name[:_SHOWN], "There is no such field.", fix)
