"""The OpenAPI document, written from the structs that requests and answers really are.

`python -m serving.openapi --write` writes docs/openapi.json, which is checked in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from serving import answers, problems, requests

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Ontime"
VERSION: Final = "1.0.0"
_FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
DESCRIPTION: Final = (
    "Will this flight arrive 15 minutes late or more? Answers come from the released model "
    "version; every answer is kept in the prediction history before it is given."
)
EXAMPLE_REQUEST: Final = {
    "carrier": "UA",
    "flight_number": 389,
    "origin": "JFK",
    "destination": "SFO",
    "scheduled_departure": "2013-12-30T18:30",
    "scheduled_arrival": "2013-12-30T22:21",
    "tail_number": "N510UA",
}
_ANSWER: Final = {
    "prediction_id": "0194f2c4-7b6e-7d2a-9c1f-3a5b8e6d7f10",
    "flight_id": "UA-389-2013123023",
    "probability": 0.4264,
    "late": True,
    "threshold": 0.31,
    "model": {"name": "ontime", "version": "3", "alias": "champion"},
    "prediction_time": "2013-12-30T21:30:00Z",
    "features_as_of": "2013-12-30T21:30:00Z",
    "missing": [],
    "requested_at": "2025-02-10T08:30:00.125Z",
}
_FLIGHT: Final = {
    **{name: EXAMPLE_REQUEST[name] for name in list(EXAMPLE_REQUEST)[:4]},
    "scheduled_departure": "2013-12-30T23:30:00Z",
    "scheduled_arrival": "2013-12-31T06:21:00Z",
    "tail_number": "N510UA",
}
_MODEL: Final = {
    "name": "ontime",
    "version": "3",
    "alias": "champion",
    "revision": 4,
    "threshold": 0.31,
    "horizon_min": 120,
    "features": ["departure_minute", "origin_temperature"],
    "manifest_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "refusal": None,
}
_HISTORY: Final = {
    "items": [{**_ANSWER, "flight": _FLIGHT, "features": [625.0, 33.1]}],
    "next": "WzE3MzkxNzYyMDAxMjUsIjAxOTRmMmM0Il0",
}
_KINDS: Final = (
    requests.PredictionRequest,
    requests.LoadRequest,
    answers.PredictionAnswer,
    answers.ModelAnswer,
    answers.HistoryAnswer,
    answers.HistoryEntry,
    answers.HealthAnswer,
    problems.Problem,
)


def openapi_document() -> dict[str, Any]:
    """Return the document (OpenAPI 3.1)."""
    _, components = msgspec.json.schema_components(
        _KINDS, ref_template="#/components/schemas/{name}"
    )
    components["HistoryAnswer"]["properties"]["items"]["items"] = _ref("HistoryEntry")
    components["LoadRequest"]["oneOf"] = [{"required": ["version"]}, {"required": ["alias"]}]
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "paths": _paths(),
        "components": {"schemas": components},
    }


def document_file() -> bytes:
    """Return the document as it is checked in."""
    return msgspec.json.format(msgspec.json.encode(openapi_document()), indent=2) + b"\n"


def _paths() -> dict[str, Any]:
    return {
        "/model/predict": {
            "post": _operation(
                "predict",
                "Will this flight be late?",
                "PredictionAnswer",
                _ANSWER,
                problems=(400, 413, 415, 422, 503),
                body=_body("PredictionRequest", {"flight": EXAMPLE_REQUEST}),
            )
        },
        "/model/load": {
            "post": _operation(
                "load",
                "Answer with another model version",
                "ModelAnswer",
                _MODEL,
                problems=(400, 404, 409, 413, 415, 422, 503),
                body=_body(
                    "LoadRequest",
                    {"version": {"version": "3"}, "alias": {"alias": "champion"}},
                ),
            )
        },
        "/model/history": {
            "get": _operation(
                "history",
                "Which answers were given?",
                "HistoryAnswer",
                _HISTORY,
                problems=(422, 503),
            )
            | {"parameters": _history_parameters()}
        },
        "/health": {
            "get": _operation("health", "Is the process alive?", "HealthAnswer", {"status": "ok"})
        },
        "/ready": {
            "get": _operation("ready", "Can it answer?", "ModelAnswer", _MODEL, problems=(503,))
        },
        "/model": {
            "get": _operation(
                "model", "Which model answers?", "ModelAnswer", _MODEL, problems=(503,)
            )
        },
    }


def _operation(
    name: str,
    summary: str,
    answer: str,
    example: Mapping[str, object],
    *,
    problems: tuple[int, ...] = (),
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {
            "description": summary,
            "content": {"application/json": {"schema": _ref(answer), "example": example}},
        }
    }
    for status in (*problems, 500):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    operation = {"operationId": name, "summary": summary, "responses": responses}
    return operation if body is None else operation | {"requestBody": body}


_PROBLEMS: Final = {
    400: "The body is not JSON.",
    404: "No such model version.",
    409: "The model version may not be served (checksum, contract or self-test).",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field or parameter is missing, unknown, or has a value that cannot be.",
    500: "The service failed.",
    503: "No model is loaded, or a store cannot be used.",
}


def _body(kind: str, examples: dict[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": _ref(kind), "examples": named}}
    return {"required": True, "content": content}


def _history_parameters() -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        _parameter("limit", "The most predictions to return.", {"type": "integer", "minimum": 1}),
        _parameter("cursor", "`next` of the page before.", text),
        _parameter("flight_id", "Only predictions of this flight.", text),
    ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _ref(kind: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind}"}


if __name__ == "__main__":
    if "--write" in sys.argv:
        _FILE.write_bytes(document_file())
    sys.exit(_FILE.read_bytes() != document_file())
