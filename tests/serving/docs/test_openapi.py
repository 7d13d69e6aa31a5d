"""The OpenAPI document describes what the service does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from serving.docs.openapi import EXAMPLE_REQUEST, document_file, openapi_document
from tests.serving.support import ROOT, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = openapi_document()
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return SCHEMAS[name] if name else schema


def assert_fits(value: object, schema: dict[str, Any], where: str) -> None:
    """Check properties, required ones, types and constants: what our schemas use."""
    schema = resolved(schema)
    if "anyOf" in schema:
        fits = []
        for choice in schema["anyOf"]:
            try:
                assert_fits(value, choice, where)
                fits.append(choice)
            except AssertionError:
                continue
        assert fits, f"{where}: {value!r} fits none of {schema['anyOf']}"
        return
    if "enum" in schema or not schema:
        assert value in schema.get("enum", [value]), where
        return
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    assert isinstance(value, kinds[schema["type"]]), f"{where}: {value!r} is no {schema['type']}"
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), where
        for name, inner in value.items():
            assert_fits(inner, schema["properties"][name], f"{where}.{name}")
    if isinstance(value, list):
        for inner in value:
            assert_fits(inner, schema["items"], f"{where}[]")
    if isinstance(value, str) and "pattern" in schema:
        assert re.search(schema["pattern"], value), where


def test_the_document_checked_in_is_the_one_served() -> None:
    assert (ROOT / "docs" / "openapi.json").read_bytes() == document_file(), (
        "run `python -m serving.docs.openapi --write`"
    )


def test_every_reference_exists() -> None:
    names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT))
    assert set(names) <= set(SCHEMAS)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_example_fits_its_schema(path: str, method: str, operation: dict[str, Any]) -> None:
    content = next(iter(operation["responses"].values()))["content"]
    if "application/json" in content:
        answer = content["application/json"]
        assert_fits(answer["example"], answer["schema"], f"{method} {path}")
    else:
        assert set(content) <= {"text/html", "text/plain"}
    if method == "post":
        body = operation["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            assert_fits(example["value"], body["schema"], f"{method} {path} body")


def test_operation_ids_are_unique() -> None:
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(OPERATIONS)


def test_real_answers_fit_the_schemas(home: Path) -> None:
    # Given real answers of a service, Then they match the document
    service = a_service(home)
    prediction = service.predict(body_of())
    service.history.append([prediction.record])
    for name, body in (
        ("PredictionAnswer", prediction.answer),
        ("ModelAnswer", service.model()),
        ("HistoryAnswer", service.history_page({})),
        ("HealthAnswer", service.health()),
    ):
        assert_fits(json.loads(body), SCHEMAS[name], name)


def test_the_request_schema_is_strict() -> None:
    schema = SCHEMAS["PredictionRequest"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(EXAMPLE_REQUEST) - {"tail_number"}
    assert SCHEMAS["LoadRequest"]["additionalProperties"] is False
