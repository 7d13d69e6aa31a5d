"""Generates the OpenAPI document from the structs of requests and responses.

`python -m serving.docs.openapi --write` writes docs/openapi.json, which is checked in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from serving.docs import openapi_examples as examples
from serving.online import event_messages
from serving.schema import problems, requests, responses

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Ontime"
VERSION: Final = "1.0.0"
DESCRIPTION: Final = (
    "Will this flight arrive 15 minutes late or more? Answers come from the released model "
    "version; every prediction is in the prediction history before it is returned."
)
EXAMPLE_REQUEST: Final = examples.EXAMPLE_REQUEST
_FILE: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
_PUBLIC: Final = "health"
_JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_KINDS: Final = (
    requests.PredictionRequest,
    requests.BatchRequest,
    requests.LoadRequest,
    event_messages.EventsRequest,
    event_messages.EventsAnswer,
    responses.PredictionAnswer,
    responses.ExplainedAnswer,
    responses.BatchAnswer,
    responses.JobAnswer,
    responses.ModelAnswer,
    responses.HistoryAnswer,
    responses.HistoryEntry,
    responses.HealthAnswer,
    problems.Problem,
)
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "basic": {"type": "http", "scheme": "basic"},
}
_PROBLEMS: Final = {
    400: "The body is not JSON.",
    401: "An API key is required and was not sent.",
    403: "The API key does not have the scope of this operation.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "The model version may not be served (checksum, contract or self-test), or no decision "
    "has it answer; or the first request with this idempotency key is still being answered.",
    413: "The body is too large.",
    415: "The body is declared as something else than JSON, or packed otherwise than by gzip.",
    422: "A field or parameter is missing, unknown, or has an invalid value.",
    429: "More requests than one caller may send; `Retry-After` gives the seconds to wait.",
    500: "The service failed.",
    503: "The service is overloaded, no model is loaded, or a store cannot be used.",
}


def openapi_document() -> dict[str, Any]:
    """Return the document (OpenAPI 3.1)."""
    _, components = msgspec.json.schema_components(
        _KINDS, ref_template="#/components/schemas/{name}"
    )
    for name in ("items", "history"):
        components["HistoryAnswer"]["properties"][name]["items"] = _ref("HistoryEntry")
    flights = components["BatchRequest"]["properties"]["flights"]
    # Any value is accepted there: an invalid flight gets a problem in its place.
    flights["items"] = {"anyOf": [_ref("PredictionRequest"), {}]}
    components["LoadRequest"]["oneOf"] = [{"required": ["version"]}, {"required": ["alias"]}]
    document = {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "paths": {**_predicting(), **_events(), **_reading()},
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
        "security": [{}, *({name: []} for name in _SCHEMES)],
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # lists, no tuples
    return found


def document_file() -> bytes:
    """Return the document as it is checked in."""
    return msgspec.json.format(msgspec.json.encode(openapi_document()), indent=2) + b"\n"


def _predicting() -> dict[str, Any]:
    posted = (400, 403, 408, 409, 413, 415, 422, 503)
    flight = _body("PredictionRequest", {"flight": EXAMPLE_REQUEST})
    flights = _body("BatchRequest", {"flights": {"flights": [EXAMPLE_REQUEST]}})
    switch = _body("LoadRequest", {"version": {"version": "3"}, "alias": {"alias": "champion"}})
    once = [_idempotency_key()]
    late = _answer("PredictionAnswer", examples.ANSWER)
    # Without the reasons, or with them.
    either = [_ref("PredictionAnswer"), _ref("ExplainedAnswer")]
    late["content"][_JSON] = {"schema": {"anyOf": either}, "example": examples.EXPLAINED}
    explain = _parameter("explain", "Whether to explain the prediction.", {"type": "boolean"})
    later = _answer("JobAnswer", examples.ACCEPTED)
    later["headers"] = {"Location": {"description": "Where its result will be.", "schema": _TEXT}}
    found = _answer("JobAnswer", examples.DONE)
    return {
        "/model/predict": {
            "post": _operation("predict", "Will this flight be late?", late, posted)
            | {"parameters": [explain, *once], "requestBody": flight}
        },
        "/model/predict/batch": {
            "post": _operation(
                "predict_batch",
                "Will these flights be late? An invalid flight gets a problem in its place.",
                _answer("BatchAnswer", examples.BATCH),
                posted,
            )
            | {"parameters": once, "requestBody": flights}
        },
        "/model/predict/async": {
            "post": _operation(
                "submit", "Predict later: accepted once it is durable.", later, posted, 202
            )
            | {"parameters": once, "requestBody": flight}
        },
        "/model/predict/async/{id}": {
            "get": _operation(
                "job", "State of an asynchronous prediction", found, (403, 404, 422, 503)
            )
            | {"parameters": [_parameter("id", "`id` of the answer.", _TEXT, place="path")]}
        },
        "/model/load": {
            "post": _operation(
                "load",
                "Switch this server to another model version; outside development only to the one "
                "that answers by the newest decision",
                _answer("ModelAnswer", examples.MODEL),
                (400, 403, 404, 408, 409, 413, 415, 422, 503),
            )
            | {"requestBody": switch}
        },
    }


def _events() -> dict[str, Any]:
    accepted = _answer("EventsAnswer", {"accepted": len(examples.EVENTS)})
    report = _operation(
        "events",
        "Report events, in any order; repeats are ignored. Accepted once durable.",
        accepted,
        (400, 403, 408, 413, 415, 422, 503),
        202,
    )
    body = _body("EventsRequest", {"events": {"events": examples.EVENTS}})
    return {"/events": {"post": report | {"requestBody": body}}}


def _reading() -> dict[str, Any]:
    model = _answer("ModelAnswer", examples.MODEL)
    page = _answer("HistoryAnswer", examples.HISTORY)
    alive = _answer("HealthAnswer", {"status": "ok"})
    alias = {"type": "string", "enum": ["champion", "challenger", "Production", "Staging"]}
    return {
        "/model": {"get": _operation("model", "Which models answer?", model, (503,))},
        "/model/card": {
            "get": _operation("card", "How good is the model?", _page("text/html"), (404, 422, 503))
            | {"parameters": [_parameter("alias", "Of which of the two.", alias)]}
        },
        "/model/history": {
            "get": _operation("history", "Which answers were given?", page, (403, 422, 503))
            | {"parameters": _history_parameters()}
        },
        "/health": {"get": _operation("health", "Is the process alive?", alive)},
        "/ready": {"get": _operation("ready", "Can it answer?", model, (503,))},
        "/metrics": {
            "get": _operation("metrics", "Metrics in Prometheus text format", _page("text/plain"))
        },
    }


def _operation(
    name: str,
    summary: str,
    answer: dict[str, Any],
    problems: tuple[int, ...] = (),
    status: int = 200,
) -> dict[str, Any]:
    responses: dict[str, Any] = {str(status): {"description": summary, **answer}}
    always = (500,) if name == _PUBLIC else (401, 429, 500)
    for problem in sorted({*problems, *always}):
        responses[str(problem)] = {
            "description": _PROBLEMS[problem],
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    return {"operationId": name, "summary": summary, "responses": responses}


def _answer(kind: str, example: Mapping[str, object]) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": _ref(kind), "example": example}}}


def _page(media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": _TEXT}}}


def _body(kind: str, named: dict[str, Any]) -> dict[str, Any]:
    shown = {name: {"value": value} for name, value in named.items()}
    return {"required": True, "content": {_JSON: {"schema": _ref(kind), "examples": shown}}}


def _history_parameters() -> list[dict[str, Any]]:
    instant = {"type": "string", "format": "date-time"}
    return [
        _parameter("limit", "The most predictions to return.", {"type": "integer", "minimum": 1}),
        _parameter("cursor", "`next` of the page before.", _TEXT),
        _parameter("flight_id", "Only predictions of this flight.", _TEXT),
        _parameter("since", "Only predictions requested at this instant or later.", instant),
        _parameter("until", "Only predictions requested before this instant.", instant),
    ]


def _idempotency_key() -> dict[str, Any]:
    known = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    about = "A retry with the same key and body gets the first answer."
    return _parameter("Idempotency-Key", about, known, place="header")


def _parameter(
    name: str, description: str, schema: dict[str, Any], *, place: str = "query"
) -> dict[str, Any]:
    found = {"name": name, "in": place, "description": description, "schema": schema}
    return found | {"required": True} if place == "path" else found


def _ref(kind: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind}"}


if __name__ == "__main__":
    if "--write" in sys.argv:
        _FILE.write_bytes(document_file())
    sys.exit(_FILE.read_bytes() != document_file())
