"""API keys: which callers are allowed."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from ontime_base.configuration import ConfError
from pipelines.settings import load_settings
from serving.http.access import AccessError, new_key
from serving.http.api import Api
from serving.http.messages import Request
from serving.settings import (
    DEFAULT_SCOPES,
    AccessSettings,
    KeySettings,
    ServingSettings,
    parse_serving,
    with_environment_keys,
)
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

KEY, HASH = new_key()
OTHER, OTHER_HASH = new_key()
BASIC = base64.b64encode(f"anybody:{KEY}".encode())


@pytest.fixture
def api(home: Path) -> Api:
    access = AccessSettings(required=True, keys={"other": OTHER_HASH, "somebody": HASH})
    return Api(a_service(home, msgspec.structs.replace(SETTINGS, access=access)))


GOOD = [
    {b"authorization": f"Bearer {KEY}".encode()},
    {b"authorization": f"bearer  {KEY}".encode()},
    {b"authorization": b"Basic " + BASIC},
    {b"x-api-key": KEY.encode()},
]
BAD: list[dict[bytes, bytes]] = [
    {},
    {b"authorization": b""},
    {b"authorization": KEY.encode()},
    {b"authorization": f"Bearer {KEY[:-1]}".encode()},
    {b"authorization": f"Bearer {HASH}".encode()},
    {b"authorization": b"Basic !" + BASIC},
    {b"authorization": b"Basic " + base64.b64encode(b"nothing")},
    {b"authorization": b"Bearer " + b"x" * 1000},
    {b"x-api-key": b"x" * 1000},
    {b"x-api-key": b"\xff"},
]


def test_every_route_but_health_refuses_who_has_no_key(api: Api) -> None:
    # Given every route there is, and one that is not
    targets = [(route.method, route.path.replace("{id}", "x")) for route in api.table.routes]
    for method, path in [*targets, ("GET", "/nothing")]:
        for headers in BAD:
            reply = api.answer(Request(method, path, headers=headers, body=body_of()))
            # Then only the health check answers
            if path == "/health":
                assert reply.status == 200
                continue
            assert reply.status == 401, (path, headers)
            assert json.loads(reply.body)["type"] == "urn:ontime:problem:unauthorized"
            assert dict(reply.headers)[b"www-authenticate"].startswith(b"Basic")


@pytest.mark.parametrize("headers", GOOD)
def test_who_has_a_key_is_answered(
    api: Api, headers: dict[bytes, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ontime.serving"):
        assert api.answer(Request("GET", "/model", headers=headers)).status == 200
    # And the log names the key, and does not hold it
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    assert record.fields["key"] == "somebody"  # type: ignore[attr-defined] # set by `log`
    assert KEY not in str(vars(record))


def test_without_a_configured_key_it_does_not_start(home: Path) -> None:
    options = msgspec.structs.replace(SETTINGS, access=AccessSettings(required=True))
    with pytest.raises(AccessError, match="ontime api-key"):
        Api(a_service(home, options))


@pytest.mark.parametrize(("environment", "required"), [("dev", False), ("staging", True)])
def test_outside_dev_a_key_is_required(environment: str, required: bool) -> None:  # noqa: FBT001
    assert load_settings(environment).serving.access.required is required


def test_keys_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONTIME_API_KEYS", json.dumps({"somebody": HASH}))
    assert with_environment_keys(ServingSettings()).access.keys == {"somebody": HASH}
    for bad in ("x", '{"somebody": "plain"}'):
        monkeypatch.setenv("ONTIME_API_KEYS", bad)
        with pytest.raises(ConfError, match="ONTIME_API_KEYS"):
            with_environment_keys(ServingSettings())


SCOPED: dict[str, list[tuple[str, str, int]]] = {
    "predict": [
        ("POST", "/model/predict", 200),
        ("POST", "/model/predict/batch", 422),
        ("POST", "/model/predict/async", 202),
        ("GET", "/model/predict/async/x", 404),
        ("GET", "/model/history", 200),
    ],
    "events": [("POST", "/events", 422)],
    "operate": [("POST", "/model/load", 422)],
    "": [("GET", "/model", 200), ("GET", "/ready", 200), ("GET", "/metrics", 200)],
}


@pytest.mark.parametrize(
    "key",
    [
        HASH,
        KeySettings(sha256=HASH),
        KeySettings(sha256=HASH, scopes=("predict",)),
        KeySettings(sha256=HASH, scopes=("operate",)),
        KeySettings(sha256=HASH, scopes=()),
        KeySettings(sha256=HASH, scopes=("predict", "events", "operate")),
    ],
)
def test_a_key_does_what_its_scopes_allow(home: Path, key: str | KeySettings) -> None:
    # Given a key; one without scopes predicts and reports events
    allowed = DEFAULT_SCOPES if isinstance(key, str) else key.scopes
    access = AccessSettings(required=True, keys={"somebody": key})
    api = Api(a_service(home, msgspec.structs.replace(SETTINGS, access=access)))
    headers = {b"x-api-key": KEY.encode(), b"content-type": b"application/json"}
    for scope, operations in SCOPED.items():
        for method, path, status in operations:
            reply = api.answer(Request(method, path, headers=headers, body=body_of()))
            # Then an operation of another scope is refused, and names that scope
            if scope and scope not in allowed:
                assert reply.status == 403, path
                problem = json.loads(reply.body)
                assert problem["type"] == "urn:ontime:problem:forbidden"
                assert f"'{scope}'" in problem["detail"]
            else:
                assert reply.status == status, (path, reply.body)


def test_every_operation_that_changes_something_has_a_scope(api: Api) -> None:
    assert all(route.scope for route in api.table.routes if route.method == "POST")


def test_scopes_come_from_conf_and_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "ONTIME_API_KEYS", json.dumps({"somebody": {"sha256": HASH, "scopes": ["operate"]}})
    )
    key = KeySettings(sha256=HASH, scopes=("operate",))
    assert with_environment_keys(ServingSettings()).access.keys == {"somebody": key}
    section = {"access": {"keys": {"somebody": {"sha256": HASH, "scope": ["operate"]}}}}
    with pytest.raises(ConfError, match=r"keys\.<name>\.scope.*use one of: scopes, sha256"):
        parse_serving(section)
    section["access"]["keys"]["somebody"] = {"sha256": HASH, "scopes": ["all"]}
    with pytest.raises(ConfError, match="'all'"):
        parse_serving(section)
