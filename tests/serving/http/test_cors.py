"""Pages of other origins: only those that are configured may use the service in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from ontime_base.errors import ConfError
from serving.http.access import new_key
from serving.http.api import Api
from serving.http.messages import Reply, Request
from serving.settings import AccessSettings, CorsSettings, parse_serving
from tests.serving.support import SETTINGS, a_service, body_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE, OTHER = b"https://example.com", b"https://example.org"
KEY, HASH = new_key()
PREFLIGHT = {
    b"access-control-request-method": b"POST",
    b"access-control-request-headers": b"authorization, content-type",
}


def an_api(home: Path, *origins: str) -> Api:
    access = AccessSettings(required=True, keys={"page": HASH})
    cors = CorsSettings(origins=origins, max_age_seconds=60)
    return Api(a_service(home, msgspec.structs.replace(SETTINGS, access=access, cors=cors)))


def sent(api: Api, method: str, **headers: bytes) -> tuple[Reply, dict[bytes, bytes]]:
    request = Request(
        method,
        "/model/predict",
        headers={
            b"content-type": b"application/json",
            **{name.replace("_", "-").encode(): value for name, value in headers.items()},
        },
        body=b"" if method == "OPTIONS" else body_of(),
    )
    reply = api.answer(request)
    return reply, dict(api.headers(request, reply))


def preflight(api: Api, origin: bytes) -> tuple[Reply, dict[bytes, bytes]]:
    names = {name.decode().replace("-", "_"): value for name, value in PREFLIGHT.items()}
    return sent(api, "OPTIONS", origin=origin, **names)


def test_a_page_of_an_allowed_origin_is_answered(home: Path) -> None:
    api = an_api(home, PAGE.decode())
    # Given a preflight request, which has no key
    reply, headers = preflight(api, PAGE)
    assert reply.status == 200
    assert headers[b"access-control-allow-origin"] == PAGE
    assert headers[b"access-control-allow-methods"] == b"GET, POST"
    assert b"authorization" in headers[b"access-control-allow-headers"]
    assert headers[b"access-control-max-age"] == b"60"
    # Then the request with the key is answered to the page, and without it too is refused to it
    for key, status in ((KEY.encode(), 200), (b"", 401)):
        reply, headers = sent(api, "POST", origin=PAGE, x_api_key=key)
        assert reply.status == status
        assert headers[b"access-control-allow-origin"] == PAGE
        assert b"x-request-id" in headers[b"access-control-expose-headers"]
        assert headers[b"vary"] == b"origin"
        assert b"access-control-allow-credentials" not in headers


def test_a_page_of_another_origin_is_not(home: Path) -> None:
    api = an_api(home, PAGE.decode())
    reply, headers = preflight(api, OTHER)
    assert reply.status == 401
    assert b"access-control-allow-origin" not in headers
    _, headers = sent(api, "POST", origin=OTHER, x_api_key=KEY.encode())
    assert b"access-control-allow-origin" not in headers
    assert headers[b"vary"] == b"origin"


def test_any_origin_may_be_allowed(home: Path) -> None:
    _, headers = preflight(an_api(home, "*"), OTHER)
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"vary" not in headers


def test_nothing_is_allowed_unless_configured(home: Path) -> None:
    api = an_api(home)
    reply, headers = preflight(api, PAGE)
    assert reply.status == 401
    _, headers = sent(api, "POST", origin=PAGE, x_api_key=KEY.encode())
    assert not [name for name in headers if name.startswith(b"access-control") or name == b"vary"]


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/", "https://a b", ""])
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    with pytest.raises(ConfError, match="origins"):
        parse_serving({"cors": {"origins": [origin]}})
