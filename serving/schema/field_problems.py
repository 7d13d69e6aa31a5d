"""Explains a body that cannot be decoded: every field at fault, in words for people.

The decoder stops at its first error and reports patterns and type names. What is here decodes
again, slower, and only for a body that is refused; its work and its answer are bounded.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import inspect

from serving.schema.problems import FieldProblem, InvalidRequestError, MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_PROBLEMS: Final = 20
_MOST_COMPARED: Final = 3  # names of one object that are compared with the known ones
_SHOWN: Final = 60
_VALUE_SHOWN: Final = 40
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def plain_json(body: bytes) -> object:
    """Return the body as plain values.

    Raises:
        MalformedBodyError: It is not JSON.
    """
    try:
        return msgspec.json.decode(body, type=object)
    except UNREADABLE as error:
        raise malformed(error) from error


def malformed(error: Exception) -> MalformedBodyError:
    """Return the problem of a body that is not JSON."""
    match error:
        case UnicodeDecodeError():
            reason = f"byte {error.start} is not UTF-8"
        case RecursionError():
            reason = "it is nested too deeply"
        case _:
            reason = str(error).removeprefix("JSON is malformed: ")
    return MalformedBodyError(
        f"The body cannot be read as JSON ({reason}): send one JSON object in UTF-8."
    )


def require_unique(body: bytes) -> None:
    """Refuse an object that has a field twice: readers of JSON do not agree which one counts.

    Args:
        body: Valid JSON.

    Raises:
        InvalidRequestError: Names every such field.
        MalformedBodyError: It is nested too deeply.
    """
    repeated: dict[str, None] = {}

    def note(pairs: list[tuple[str, object]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    repeated[name] = None
                seen.add(name)

    try:
        json.loads(body, object_pairs_hook=note, parse_int=float)
    except RecursionError as error:
        raise malformed(error) from error
    if repeated:
        raise problems_of(
            FieldProblem(field_shown(name), "It is given twice.", "Send it once.")
            for name in repeated
        )


def problems_of(found: Iterable[FieldProblem]) -> InvalidRequestError:
    """Return the error with these problems, the first 20 of them if there are more."""
    problems: list[FieldProblem] = []
    for each in found:
        if len(problems) == MOST_PROBLEMS:
            text = f"There are more problems than these {MOST_PROBLEMS}."
            problems.append(FieldProblem("body", text, "Correct these first."))
            break
        problems.append(each)
    return InvalidRequestError(problems)


def object_problems(
    data: object,
    kind: type[msgspec.Struct],
    *,
    meanings: Mapping[str, str],
    fixes: Mapping[str, str],
    within: str = "",
) -> Iterator[FieldProblem]:
    """Yield the problem of each field of an object that does not fit a struct.

    Args:
        data: Plain values.
        kind: The struct.
        meanings: What the value of a field is, by its name, such as `an airport code`.
        fixes: What to send, by the name of the field.
        within: Where the object is, such as `events[3]`; empty for the body itself.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if not isinstance(data, dict):
        fix = f"Send an object with {', '.join(fields)}."
        if within:
            yield FieldProblem(within, f"{value_shown(data)} is not an object.", fix)
        else:
            yield FieldProblem("body", "The body is JSON, but not an object.", fix)
        return
    path = f"{within}." if within else ""
    for name, field in fields.items():
        if name not in data and field.required:
            yield FieldProblem(f"{path}{name}", "It is missing.", fixes[name])
        elif name in data and not _fits(data[name], field.type):
            meaning = _meaning(field.type, meanings.get(name, ""))
            yield FieldProblem(f"{path}{name}", not_a(data[name], meaning), fixes[name])
    tag = kind.__struct_config__.tag_field
    unknown = (name for name in data if name not in fields and name != tag)
    for number, name in enumerate(unknown):
        fix = meant(name, fields if number < _MOST_COMPARED else ())
        yield FieldProblem(f"{path}{field_shown(name)}", "There is no such field.", fix)


def not_a(value: object, meaning: str) -> str:
    """Return that a value is not what its field holds, as a sentence."""
    shown = value_shown(value)
    if isinstance(value, str) and "number" in meaning:
        shown = f"The text {shown}"
    return f"{shown} is not {meaning}."


def meant(name: str, known: Iterable[str], what: str = "fields") -> str:
    """Return the fix for an unknown name: the known one that it is close to, else all of them."""
    names = list(known)
    if not names:
        return "Leave it out."
    close = difflib.get_close_matches(name[:_SHOWN], names, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known {what} are {', '.join(names)}."


def value_shown(value: object) -> str:
    """Return a value as a person would name it, on one line and short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{_one_line(value, _VALUE_SHOWN)}'"
        case int() | float():
            return _one_line(_digits(value), _VALUE_SHOWN)
        case list():
            return "A list"
        case _:
            return "An object"


def field_shown(name: str) -> str:
    """Return the name of a field that a caller made up, on one line and short."""
    return _one_line(name, _SHOWN)


def _digits(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python prints
        return "A very large number"


def _one_line(text: str, most: int) -> str:
    cut = text[:most]
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in cut) + (
        "…" if len(text) > most and most != _SHOWN else ""
    )


def _fits(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _meaning(kind: object, declared: str) -> str:
    """Return what a field holds: as declared, else from the bounds of its type."""
    if declared:
        return declared
    info = inspect.type_info(kind)
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    for each in options:
        if isinstance(each, inspect.IntType | inspect.FloatType):
            what = "a whole number" if isinstance(each, inspect.IntType) else "a number"
            return f"{what} from {each.ge:g} to {each.le:g}"
    return "a value of this field"
