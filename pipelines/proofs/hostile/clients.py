"""Clients that exist are answered, or told what to send."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from typing import TYPE_CHECKING, Any, Final

from pipelines.proofs.hostile.running import FLIGHT, request_of, require
from serving.http.api import Api
from serving.lambdas.api_handler import LambdaAdapter
from serving.service.prediction_service import open_service
from serving.settings import AccessSettings, CorsSettings, ServingSettings

if TYPE_CHECKING:
    from pipelines.proofs.hostile.running import RunningService
    from pipelines.proofs.hostile.world import World

_PREDICT: Final = "/model/predict"
_PAGE: Final = "https://example.com"
_BODY: Final = json.dumps(FLIGHT).encode()
_RAW: Final = {
    "year": 2013,
    "month": 12,
    "day": 31,
    "sched_dep_time": 1025,
    "sched_arr_time": 1404,
    "carrier": "UA",
    "flight": 642,
    "tailnum": "N597UA",
    "origin": "JFK",
    "dest": "SFO",
}
_UPGRADE: Final = (
    "connection: Upgrade, HTTP2-Settings",
    "upgrade: h2c",
    "http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)


def an_upgrade_to_http2_keeps_its_body(world: World) -> None:
    """A POST that offers h2c, as Java's client does, is answered as HTTP/1.1."""
    key = f"authorization: Bearer {world.key}"
    with world.service.connect() as client:
        client.send(request_of("POST", _PREDICT, (key, *_UPGRADE), _BODY))
        answer = client.answer()
        _acknowledged(world.service, answer.body, answer.status)
        client.send(request_of("GET", "/health"))
        require(client.answer().status == http.client.OK, "the connection cannot be used again")


def a_gzip_body_is_read(world: World) -> None:
    """A request packed by gzip is answered; another encoding is refused with what to send."""
    packed = {"content-encoding": "gzip"}
    answer = world.service.post(_PREDICT, gzip.compress(_BODY), **packed)
    _acknowledged(world.service, answer.body, answer.status)
    refused = world.service.post(_PREDICT, _BODY, **{"content-encoding": "br"})
    require(refused.status == http.client.UNSUPPORTED_MEDIA_TYPE, str(refused))
    require("gzip" in refused.json()["detail"], str(refused))


def a_gzip_body_unpacks_in_bounds(world: World) -> None:
    """A body of 64 KB that unpacks to 64 MB is refused, and takes no memory."""
    bomb = gzip.compress(b" " * 64 * 1024 * 1024)[: 60 * 1024]
    before = world.service.memory_mb()
    for _ in range(20):
        answer = world.service.post(_PREDICT, bomb, **{"content-encoding": "gzip"})
        require(answer.status == http.client.REQUEST_ENTITY_TOO_LARGE, str(answer))
    grown = world.service.memory_mb() - before
    require(grown < 16, f"its memory grew by {grown:.0f} MB")  # noqa: PLR2004 - megabytes


def a_field_that_is_given_twice_is_refused_by_name(world: World) -> None:
    """A duplicate JSON key is named, in a flight, a batch and an event."""
    twice = _BODY[:-1] + b', "carrier": "B6"}'
    event = b'{"event": "flight_departed", "flight_id": "UA-1-2013123115", "at": "x", "at": "y"}'
    for path, body, name in (
        (_PREDICT, twice, "carrier"),
        ("/model/predict/async", twice, "carrier"),
        ("/model/predict/batch", b'{"flights": [{}], "flights": [{}]}', "flights"),
        ("/events", b'{"events": [], "events": [%s]}' % event, "events"),
    ):
        answer = world.service.post(path, body)
        require(answer.status == http.client.UNPROCESSABLE_ENTITY, f"{path}: {answer}")
        require(name in str(answer.json()["errors"]), f"{path}: {answer}")


def json_without_a_content_type_is_read(world: World) -> None:
    """A body without a content type is read as JSON, but not from a page of a browser."""
    key = f"authorization: Bearer {world.key}"
    for headers, expected in (((key,), 200), ((key, f"origin: {_PAGE}"), 415)):
        bare = (*headers, f"content-length: {len(_BODY)}")
        with world.service.connect() as client:
            client.send(request_of("POST", _PREDICT, bare) + _BODY)
            answer = client.answer()
            require(answer.status == expected, str(answer))
            if expected == http.client.OK:
                _acknowledged(world.service, answer.body, answer.status)


def raw_column_names_are_read_where_they_are_clear(world: World) -> None:
    """A flight with the columns of the raw files is the same flight; what is unclear is named."""
    answer = world.service.post(_PREDICT, _RAW)
    _acknowledged(world.service, answer.body, answer.status)
    own = world.service.predict().json()
    require(answer.json()["flight_id"] == own["flight_id"], f"{answer} is not {own}")
    require(answer.json()["probability"] == own["probability"], f"{answer} is not {own}")
    unclear = {name: value for name, value in _RAW.items() if name != "year"} | {"dep_time": 1031}
    named = {each["field"] for each in world.service.post(_PREDICT, unclear).json()["errors"]}
    require(named == {"year", "dep_time"}, f"it named {named}")


def the_history_has_its_list_under_both_names(world: World) -> None:
    """A page of the history has the same list as `items` and as `history`."""
    world.service.predict()
    page = world.service.get("/model/history?limit=3").json()
    require(page["items"], "the page is empty")
    require(page["items"] == page["history"], "the two differ")


def an_idle_connection_outlives_a_load_balancer(world: World) -> None:
    """The keep-alive is above the 60 s after which a load balancer drops an idle connection."""
    require(ServingSettings().limits.head_seconds > 60, "it is 60 s or less")  # noqa: PLR2004 - seconds
    with world.service.connect() as client:
        for _ in range(2):
            client.send(request_of("GET", "/health"))
            require(client.answer().status == http.client.OK, "it was closed")
            time.sleep(1.0)


def pages_of_other_origins_are_answered_as_configured(world: World) -> None:
    """A preflight request of a configured origin is answered without a key, of another not."""
    adapter = _function(world, cors=CorsSettings(origins=(_PAGE,)))
    asked = {"access-control-request-method": "POST"}
    for origin, allowed in ((_PAGE, _PAGE), ("https://example.org", None)):
        answer = adapter(_event("OPTIONS", _PREDICT, {**asked, "origin": origin}), None)
        found = answer["headers"].get("access-control-allow-origin")
        require(found == allowed, f"{origin} is answered {found}")


def a_base_path_of_a_custom_domain_is_routed(world: World) -> None:
    """The function answers below a base path, as REST and as HTTP API."""
    adapter = _function(world)
    rest = {
        "resource": "/{proxy+}",
        "pathParameters": {"proxy": "health"},
        "path": "/v1/health",
        "httpMethod": "GET",
        "requestContext": {"stage": "prod", "path": "/v1/health"},
    }
    for event in (rest, _event("GET", "/flights/v1/health", {})):
        answer = adapter(event, None)
        require(answer["statusCode"] == http.client.OK, str(answer))


def an_event_that_is_no_request_is_answered(world: World) -> None:
    """An event of another source is answered 400 by the function, and is no error of it."""
    adapter = _function(world)
    events: list[dict[str, Any]] = [
        {},
        {"source": "aws.events"},
        {"requestContext": "x"},
        {"Records": []},
    ]
    for event in events:
        answer = adapter(event, None)
        require(answer["statusCode"] == http.client.BAD_REQUEST, str(answer))


def _event(method: str, path: str, headers: dict[str, str]) -> dict[str, object]:
    return {
        "rawPath": path,
        "routeKey": "$default",
        "headers": headers,
        "requestContext": {
            "stage": "$default",
            "domainName": "api.example.com",
            "http": {"method": method, "path": path},
        },
    }


def _function(world: World, *, cors: CorsSettings | None = None) -> LambdaAdapter:
    """Return the function behind API Gateway over a home of its own, in this process."""
    access = AccessSettings(required=True, keys={"hostile": "0" * 64})
    options = ServingSettings(access=access, cors=cors or CorsSettings())
    return LambdaAdapter(Api(open_service(options, world.new_home())))


def _acknowledged(service: RunningService, body: bytes, status: int) -> None:
    require(status == http.client.OK, f"{status} {body[:200]!r}")
    service.acknowledged.add(json.loads(body)["prediction_id"])
