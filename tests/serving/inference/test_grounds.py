"""Warnings of predictions without grounds: by their rules, and in the answers of every path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from features.online.lookup import Flight
from serving.http.api import Api
from serving.http.messages import Request
from serving.inference.grounds import WARNING_CODES, Grounds, OnlineSpan
from serving.lambdas.api_handler import LambdaAdapter
from serving.models.model_loader import LoadedModel, load_model
from serving.models.model_package import write_model_package
from serving.models.onnx_scorer import OnnxScorer
from serving.models.release_document import ReleasedVersion
from serving.online.network import write_network
from serving.online.online_state import advance_watermark
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.pipelines.scored_world import package_of, small_model
from tests.serving.support import (
    NETWORK,
    SETTINGS,
    a_contract,
    a_model,
    a_service,
    body_of,
    release,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.service.prediction_service import PredictionService

DAY = 24 * 60
LEARNED = ("2013-01-01T05:00:00Z", "2013-11-01T04:00:00Z")
LEARNED_MIN = (22_616_940, 23_054_640)
ONLINE = OnlineSpan(LEARNED_MIN[1] + 53 * DAY, LEARNED_MIN[1] + 60 * DAY)


def a_flight(departure: int, carrier: str = "UA") -> Flight:
    return Flight(
        carrier=carrier,
        flight_number=1,
        origin="JFK",
        destination="SFO",
        scheduled_departure_at=departure,
        scheduled_arrival_at=departure + 60,
        origin_utc_offset_min=-300,
        destination_utc_offset_min=-480,
        distance_mi=None,
        tail_number=None,
    )


def a_loaded_model(
    *, learned: tuple[int, int] | None = LEARNED_MIN, carriers: frozenset[str] | None = None
) -> LoadedModel:
    contract = a_contract()
    scorer = OnnxScorer(a_model(contract, 0.25), contract)
    tables = frozenset({"flights", "weather"})
    return LoadedModel(
        "ontime", "1", "ab", contract, scorer, learned=learned, carriers=carriers, tables=tables
    )


def warnings(
    *,
    departure: int = ONLINE.until or 0,
    carrier: str = "UA",
    missing: int = 0,
    ages: dict[str, int | None] | None = None,
    model: LoadedModel | None = None,
    online: OnlineSpan = ONLINE,
) -> set[str]:
    newest = {"flights": 1_000, "weather": 1_000} if ages is None else ages
    found = Grounds(stale_min=360, outside_days=7, online=lambda: online).warnings(
        model or a_loaded_model(),
        a_flight(departure, carrier),
        as_of=1_100,
        missing=missing,
        newest=newest,
    )
    return set(found)


def test_a_prediction_with_grounds_has_no_warning() -> None:
    assert warnings() == set()


@pytest.mark.parametrize(
    ("departure", "outside"),
    [
        (LEARNED_MIN[0] - 1, True),
        (LEARNED_MIN[0], False),
        (ONLINE.until or 0, False),
        ((ONLINE.until or 0) + 7 * DAY, False),
        ((ONLINE.until or 0) + 7 * DAY + 1, True),
        (LEARNED_MIN[1] + 12 * 365 * DAY, True),
    ],
)
def test_a_flight_outside_what_is_known_is_outside_data(departure: int, outside: bool) -> None:  # noqa: FBT001 - a case
    assert ("outside_data" in warnings(departure=departure)) is outside


def test_what_is_not_known_is_not_compared() -> None:
    # Given a package that does not say what it learned from, Then the online state alone counts
    old = a_loaded_model(learned=None)
    assert "outside_data" in warnings(model=old, departure=(ONLINE.since or 0) - 1)
    assert "outside_data" not in warnings(model=old, online=OnlineSpan(), departure=1)


def test_a_carrier_that_the_model_has_not_learned_is_unknown() -> None:
    model = a_loaded_model(carriers=frozenset({"UA", "B6"}))
    assert warnings(model=model) == set()
    assert warnings(model=model, carrier="ZZ") == {"unknown_carrier"}
    assert warnings(carrier="ZZ") == set()  # a model that reads no carrier


@pytest.mark.parametrize(
    ("ages", "stale"),
    [
        ({"flights": 740, "weather": 740}, False),
        ({"flights": 739, "weather": 1_000}, True),
        ({"flights": 1_000, "weather": None}, True),
        ({"weather": 1_000}, True),
        ({}, True),
    ],
)
def test_events_that_are_old_or_absent_are_stale(
    ages: dict[str, int | None],
    stale: bool,  # noqa: FBT001 - a case
) -> None:
    assert ("stale" in warnings(ages=ages)) is stale


def test_more_than_half_of_the_features_missing_is_mostly() -> None:
    half = len(a_contract().features) // 2
    assert "mostly_missing" not in warnings(missing=half)
    assert "mostly_missing" in warnings(missing=half + 1)


@pytest.fixture
def service(home: Path) -> PredictionService:
    """A service with a real model of 26 days, whose online state has no events."""
    store = FolderArtifactStore(home / "store")
    manifest = write_model_package(
        store,
        model_name="ontime",
        version="2",
        run_id="run",
        created_at="2014-01-01T00:00:00Z",
        files=package_of(small_model()),
        learned=LEARNED,
    )
    release(store, ReleasedVersion("2", manifest))
    online = SqliteOnlineStore(home / "serving.db")
    since = ONLINE.since or 0
    write_network(online, msgspec.structs.replace(NETWORK, covered_from=since))
    advance_watermark(online, ONLINE.until or 0)
    online.close()
    return a_service(home, SETTINGS)


def asked(api: Api, method: str, path: str, body: bytes = b"") -> Any:
    headers = {b"content-type": b"application/json"}
    return json.loads(api.answer(Request(method, path, headers=headers, body=body)).body)


UNGROUNDED = body_of(
    carrier="ZZ", scheduled_departure="2026-07-01T10:25", scheduled_arrival="2026-07-01T14:04"
)


def _async(api: Api) -> Any:
    job = asked(api, "POST", "/model/predict/async", UNGROUNDED)["id"]
    assert api.service.jobs.process(job)
    return asked(api, "GET", f"/model/predict/async/{job}")["prediction"]


def _history(api: Api) -> Any:
    asked(api, "POST", "/model/predict", UNGROUNDED)
    return asked(api, "GET", "/model/history")["items"][0]


def _function(api: Api) -> Any:
    event = {
        "requestContext": {"http": {"method": "POST"}},
        "rawPath": "/model/predict",
        "headers": {"content-type": "application/json"},
        "body": UNGROUNDED.decode(),
    }
    return json.loads(LambdaAdapter(api)(event, None)["body"])


PATHS: dict[str, Callable[[Api], Any]] = {
    "one": lambda api: asked(api, "POST", "/model/predict", UNGROUNDED),
    "batch": lambda api: asked(
        api, "POST", "/model/predict/batch", b'{"flights": [%s]}' % UNGROUNDED
    )["items"][0]["prediction"],
    "async": _async,
    "history": _history,
    "function": _function,
}


@pytest.mark.parametrize("path", PATHS)
def test_the_answer_of_every_path_has_its_warnings(service: PredictionService, path: str) -> None:
    # Given a flight of 2026 by a carrier that does not exist, at a server without events
    assert PATHS[path](Api(service))["warnings"] == list(WARNING_CODES)


def test_the_share_of_answers_with_warnings_is_a_metric(service: PredictionService) -> None:
    api = Api(service)
    asked(api, "POST", "/model/predict", UNGROUNDED)
    text = api.service.metrics_text().decode()
    for code in WARNING_CODES:
        assert f'ontime_prediction_warnings_total{{code="{code}"}} 1.0' in text
    assert "ontime_warned_share 1.0" in text
    assert "ontime_stale_predictions_total 1.0" in text


@pytest.mark.parametrize("path", ["/model", "/ready"])
def test_the_model_says_what_it_learned_from_and_what_is_online(
    service: PredictionService, path: str
) -> None:
    answer = asked(Api(service), "GET", path)
    assert answer["learned"] == {"from": LEARNED[0], "until": LEARNED[1]}
    assert answer["online"] == {"from": "2013-12-24T04:00:00Z", "until": "2013-12-31T04:00:00Z"}


def test_a_package_of_before_says_nothing(home: Path) -> None:
    answer = asked(Api(a_service(home)), "GET", "/model")
    assert (answer["learned"], answer["online"]) == (None, {"from": None, "until": None})


@pytest.mark.usefixtures("service")
def test_a_loaded_model_knows_its_grounds(home: Path) -> None:
    store = FolderArtifactStore(home / "store")
    loaded = load_model(store, model_name="ontime", version="2")
    assert loaded.learned == LEARNED_MIN
    assert loaded.carriers is not None
    assert {"UA", "B6"} <= loaded.carriers
    assert loaded.tables == {"flights", "weather"}
