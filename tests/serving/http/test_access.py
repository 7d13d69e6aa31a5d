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
from serving.settings import AccessSettings, ServingSettings, with_environment_keys
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
