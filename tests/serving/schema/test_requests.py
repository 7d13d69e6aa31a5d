"""Request bodies: decoded strictly, and every error reported with its way out."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.schema.problems import InvalidRequestError, MalformedBodyError, ProblemError
from serving.schema.requests import (
    FIXES,
    PredictionRequest,
    parse_batch,
    parse_load,
    parse_prediction,
)
from tests.serving.support import A_FLIGHT, body_of


def faults_of(body: bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        parse_prediction(body)
    return {fault.field: fault.problem for fault in caught.value.errors}


def test_the_example_is_a_request() -> None:
    request = parse_prediction(body_of())
    assert (request.carrier, request.flight_number, request.as_of) == ("UA", 642, None)
    assert request.tail_number == A_FLIGHT["tail_number"]


def test_what_is_optional_may_be_left_out_or_null() -> None:
    for absent in (None, ...):
        request = parse_prediction(body_of(tail_number=absent, as_of=absent))
        assert (request.tail_number, request.as_of) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("carrier", "ua"),
        ("carrier", "UAL"),
        ("carrier", ""),
        ("carrier", "U\n"),
        ("carrier", None),
        ("carrier", 7),
        ("flight_number", 0),
        ("flight_number", 10_000),
        ("flight_number", -1),
        ("flight_number", "642"),
        ("flight_number", 1.5),
        ("flight_number", True),
        ("flight_number", 10**30),
        ("origin", "JF"),
        ("origin", "jfk"),
        ("origin", ["JFK"]),
        ("destination", "S.O"),
        ("destination", {}),
        ("scheduled_departure", "tomorrow"),
        ("scheduled_departure", "2013-12-31"),
        ("scheduled_departure", "2013-12-31 10:25"),
        ("scheduled_departure", "2013-12-31T10:25+5"),
        ("scheduled_arrival", 1388502240),
        ("scheduled_arrival", "2013-12-31T14:04\n"),
        ("tail_number", "n597ua"),
        ("tail_number", "N597UA\n"),
        ("tail_number", "N" * 11),
        ("as_of", "now"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_the_way_out(field: str, value: object) -> None:
    # Given one field with such a value, Then that field, and no other, is reported
    with pytest.raises(InvalidRequestError) as caught:
        parse_prediction(body_of(**{field: value}))
    (fault,) = caught.value.errors
    assert fault.field == field
    assert " is not " in fault.problem
    assert not re.search(r"`|regex|\^|[a-z]+Error|\n", fault.problem)  # words, not code
    assert fault.fix == FIXES[field]
    assert str(caught.value).startswith(f"{field}: ")


def test_all_errors_are_reported_together() -> None:
    # Given a body with a missing, a wrong and a misspelt field
    body = body_of(carrier=..., flight_number="x", orign="JFK", surprise=1)
    # Then each is reported
    faults = faults_of(body)
    assert set(faults) == {"carrier", "flight_number", "orign", "surprise"}
    assert faults["carrier"] == "It is missing."


def test_a_misspelt_field_names_the_meant_one() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_prediction(body_of(orign="JFK"))
    assert caught.value.errors[0].fix == "Did you mean origin?"


def test_many_unknown_fields_get_a_short_answer_soon() -> None:
    # Given 64 KB of field names
    body = body_of(**{f"x{number}": 1 for number in range(8_000)})
    started = time.process_time()
    with pytest.raises(InvalidRequestError) as caught:
        parse_prediction(body)
    # Then the first of them are named, and nothing is done for the others
    assert time.process_time() - started < 1
    assert len(caught.value.errors) == 21
    assert caught.value.errors[-1].problem == "There are more problems than these 20."


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (body_of()[:-1] + b', "carrier": "B6"}', {"carrier"}),
        (body_of()[:-1] + b', "carrier" : "B6"}', {"carrier"}),
        (body_of()[:-1] + b', "carri\\u0065r": "UA"}', {"carrier"}),
        (body_of()[:-1] + b', "tail_number": null, "origin": "EWR"}', {"tail_number", "origin"}),
        (body_of(tail_number=...)[:-1] + b', "as_of": null, "as_of": null}', {"as_of"}),
        (body_of()[:-1] + b', "surprise": {"a": 1, "a": 2}}', {"a"}),
        (body_of()[:-1] + b', "flight": 1, "flight": 2}', {"flight"}),
    ],
)
def test_a_field_that_is_given_twice_is_named(body: bytes, named: set[str]) -> None:
    # Given a field twice, of which readers of JSON take the first or the last, Then it is refused
    assert faults_of(body) == dict.fromkeys(named, "It is given twice.")


@pytest.mark.parametrize(
    "body",
    [b'{"flights": [{}], "flights": [{}]}', b'{"flights": [{}], "fl\\u0069ghts": [{}]}'],
)
def test_a_batch_has_its_list_once(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="flights: It is given twice"):
        parse_batch(body, most=5)


def test_a_load_request_has_its_field_once() -> None:
    with pytest.raises(InvalidRequestError, match="version: It is given twice"):
        parse_load(b'{"version": "3", "version": "4"}')


def test_a_long_field_name_is_cut_short() -> None:
    assert [len(name) for name in faults_of(body_of(**{"x" * 5000: 1}))] == [60]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_json_that_is_not_an_object_is_refused(body: bytes) -> None:
    assert faults_of(body) == {"body": "The body is JSON, but not an object."}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"carrier=UA",
        b"\xff\xfe",
        b'{"carrier": "\xff"}',
        b'{"carrier": "\\ud800"}',
        b'{"carrier": NaN}',
        b"[" * 100_000,
        body_of() + b"x",
        b"\xef\xbb\xbf" + body_of(),
        b'{"surprise": ' + b"[" * 50_000,
    ],
)
def test_invalid_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBodyError, match="cannot be read as JSON"):
        parse_prediction(body)


@given(body=st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_problem(body: bytes) -> None:
    # Given any bytes at all, Then the only error is a problem
    with pytest.raises(ProblemError):
        parse_prediction(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is not a failure
@given(fields=st.dictionaries(st.sampled_from([*FIXES, "x"]), json_values, max_size=4))
def test_any_values_are_a_request_or_a_problem(fields: dict[str, object]) -> None:
    # Given the example with any values in some fields, Then it is a request of the declared
    # types, or a problem that names fields which were sent
    body = json.dumps({**A_FLIGHT, **fields}).encode(errors="replace")
    try:
        request = parse_prediction(body)
    except InvalidRequestError as error:
        named = {fault.field for fault in error.errors}
    except MalformedBodyError:
        named = set()  # a number that JSON readers do not agree on, such as 1e999
    else:
        assert isinstance(request, PredictionRequest)
        named = set()
    assert named <= set(fields)


@pytest.mark.parametrize("body", [b'{"version": "3"}', b'{"alias": "Production"}'])
def test_load_names_a_version_or_an_alias(body: bytes) -> None:
    request = parse_load(body)
    assert request.version == "3" or request.alias == "Production"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"version": "3", "alias": "champion"}',
        b'{"version": 3}',
        b'{"version": "../3"}',
        b'{"version": null}',
        b'{"version": "3\\n"}',
        b'{"alias": "best"}',
        b'{"path": "/tmp/model.pkl"}',
    ],
)
def test_load_takes_nothing_else(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_load(body)
