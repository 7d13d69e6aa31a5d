"""Request and reply as bytes, independent of adapter and framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from serving.schema.field_problems import field_shown, meant, value_shown
from serving.schema.problems import FieldProblem, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.inference.predictor import Shadow
    from serving.settings import Scope
    from serving.stores.history.protocol import PredictionRecord

JSON: Final = "application/json"
_MOST_PARAMETERS: Final = 20


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        method: In upper case.
        path: Below `prefix`, without the slash at its end.
        query: As sent, without its question mark.
        headers: Values by names in lower case.
        client: Address of the caller; never logged.
        prefix: What a gateway has put before the path, such as `/prod`.
        body: Whole, once it was read.
        request_id: Names it in the log and in its answer.
        name: The path of its route, for logs and metrics.
        caller: The name of its key, or its address; known once it is authenticated.
        scopes: What its key allows; likewise.
        log_fields: Further fields of its log line.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    client: str = ""
    prefix: str = ""
    body: bytes = b""
    request_id: str = ""
    name: str = "other"
    caller: str = ""
    scopes: frozenset[Scope] = frozenset()
    log_fields: dict[str, object] = field(default_factory=dict)

    def header(self, name: bytes) -> str:
        """Return the value of a header, empty where it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")

    def parameters(self, *known: str) -> dict[str, str]:
        """Return the query parameters.

        Raises:
            InvalidRequestError: One is unknown, or given twice, or there are too many.
        """
        if not self.query:
            return {}
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError as error:
            fix = f"Send at most {_MOST_PARAMETERS} parameters."
            raise _invalid("query", "It cannot be read.", fix) from error
        found: dict[str, str] = {}
        problems: dict[str, FieldProblem] = {}
        for name, value in pairs:
            shown = field_shown(name)
            if name not in known:
                fix = meant(name, known, "parameters") if known else "Leave it out."
                problems[name] = FieldProblem(shown, "There is no such parameter.", fix)
            elif name in found:
                problems[name] = FieldProblem(shown, "It is given twice.", "Send it once.")
            found[name] = value
        if problems:
            raise InvalidRequestError(list(problems.values()))
        return found

    def flag(self, name: str) -> bool:
        """Return whether the one parameter that there may be is `true`.

        Raises:
            InvalidRequestError: It is neither `true` nor `false`, or there is another one.
        """
        value = self.parameters(name).get(name, "false")
        if value not in {"true", "false"}:
            raise _invalid(name, f"{value_shown(value)} is no choice.", "Send true or false.")
        return value == "true"


@dataclass(slots=True)
class Reply:
    """The answer to one request.

    Attributes:
        body: Its bytes.
        status: HTTP status.
        media_type: Of the body.
        headers: Further headers, names in lower case.
        records: Predictions to keep before it is given.
        shadows: What the challenger scores after it is given.
    """

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    records: Sequence[PredictionRecord] = ()
    shadows: Sequence[Shadow] = ()

    def all_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Return every header that the service sends, in a fixed order."""
        return [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
            (b"x-request-id", request_id.encode()),
        ]


def without_end_slash(path: str) -> str:
    """Return the path in the one form that routes have."""
    return path.rstrip("/") or "/"


def _invalid(name: str, problem: str, fix: str) -> InvalidRequestError:
    return InvalidRequestError([FieldProblem(name, problem, fix)])
