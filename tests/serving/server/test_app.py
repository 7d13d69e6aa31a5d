"""The HTTP adapter: a real server, real HTTP."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving.docs.openapi import EXAMPLE_REQUEST, openapi_document
from serving.stores.artifacts.local import FolderArtifactStore
from tests.serving.support import (
    SETTINGS,
    FullHistory,
    a_home,
    a_service,
    body_of,
    release_version,
    running_server,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one server, for the tests that change nothing in it."""
    home = a_home(tmp_path_factory.mktemp("app") / "home")
    with running_server(a_service(home, SETTINGS)) as url, httpx.Client(base_url=url) as opened:
        yield opened


def post(client: httpx.Client, path: str, body: bytes, **headers: str) -> httpx.Response:
    return client.post(path, content=body, headers={**JSON, **headers})


def problem_of(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:ontime:problem:{slug}"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_path_works_with_and_without_a_slash(client: httpx.Client, slash: str) -> None:
    # Given either form of each path, Then it is answered itself, without a redirect
    for path in ("/health", "/ready", "/model", "/model/history", "/docs", "/openapi.json"):
        assert client.get(path + slash).status_code == 200, path
    assert post(client, f"/model/predict{slash}", body_of()).status_code == 200
    assert post(client, f"/model/load{slash}", b'{"version": "1"}').status_code == 200


def test_a_prediction_is_answered_and_stored(client: httpx.Client) -> None:
    # Given a prediction
    answer = client.post("/model/predict", json=EXAMPLE_REQUEST).json()
    # Then it is the newest of the history, and of its flight
    for query in ({}, {"flight_id": answer["flight_id"]}):
        (entry,) = client.get("/model/history", params=query).json()["items"]
        assert {name: entry[name] for name in answer} == answer


def test_history_pages_hold_each_prediction_once_newest_first(client: httpx.Client) -> None:
    # Given seven predictions, some of them in one batch
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: post(client, "/model/predict", body_of()).json(), range(7)))
    # When the history is read in pages of three
    query: dict[str, Any] = {"limit": 3}
    found = []
    while True:
        page = client.get("/model/history", params=query).json()
        found += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    # Then each is present once, newest first
    assert sorted(e["prediction_id"] for e in found) == sorted(a["prediction_id"] for a in made)
    assert [e["requested_at"] for e in found] == sorted(
        (e["requested_at"] for e in found), reverse=True
    )


def test_the_request_id_is_reused_or_generated(shared: httpx.Client) -> None:
    given = shared.get("/health", headers={"x-request-id": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    for odd in ("", "x" * 65, "a b", '"'):
        made = shared.get("/health", headers={"x-request-id": odd}).headers["x-request-id"]
        assert made != odd
        assert len(made) == 36


def test_bad_bodies_are_problems(shared: httpx.Client) -> None:
    problem = problem_of(post(shared, "/model/predict", b"{"), 400, "malformed-body")
    assert "JSON" in problem["detail"]
    problem = problem_of(
        post(shared, "/model/predict", body_of(destination="XXX")), 422, "invalid-request"
    )
    (error,) = problem["errors"]
    assert error["field"] == "destination"
    assert "'XXX' is not one of the 5 airports" in error["problem"]
    assert "make run" in error["fix"]


def test_a_body_too_large_is_refused(shared: httpx.Client) -> None:
    # Given bodies over the limit, with a length in front and without (chunked)
    for content in (b" " * 3000, (b" " * 1000 for _ in range(3))):
        response = shared.post("/model/predict", content=content, headers=JSON)
        problem = problem_of(response, 413, "body-too-large")
        assert "2048 bytes" in problem["detail"]
    # And one at the limit is read
    assert post(shared, "/model/predict", body_of() + b" " * 1500).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_must_be_declared_as_json(shared: httpx.Client, content_type: str) -> None:
    for path in ("/model/predict", "/model/load"):
        response = shared.post(path, content=body_of(), headers={"content-type": content_type})
        assert "application/json" in problem_of(response, 415, "unsupported-media-type")["detail"]
    response = post(
        shared, "/model/predict", body_of(), **{"content-type": "Application/JSON; a=b"}
    )
    assert response.status_code == 200


def test_a_body_without_a_content_type_is_json(shared: httpx.Client) -> None:
    # Given a client that declares nothing, Then its JSON is read
    assert shared.post("/model/predict", content=body_of()).status_code == 200
    response = shared.post("/model/predict", content=b"carrier=UA")
    problem_of(response, 400, "malformed-body")
    # But a page of a browser, which could use the credentials of its reader, has to declare it
    response = shared.post(
        "/model/predict", content=body_of(), headers={"origin": "https://example.com"}
    )
    problem_of(response, 415, "unsupported-media-type")


def test_a_gzip_body_is_read_in_bounds(shared: httpx.Client) -> None:
    # Given the same request packed, Then it is answered
    headers = {"content-encoding": "gzip"}
    packed = gzip.compress(body_of())
    assert post(shared, "/model/predict", packed, **headers).status_code == 200
    batch = gzip.compress(b'{"flights": [%s]}' % body_of())
    answer = post(shared, "/model/predict/batch", batch, **{"content-encoding": "GZIP"})
    assert answer.json()["failed"] == 0
    # And one that would unpack to 64 MB is refused before it is unpacked
    bomb = gzip.compress(b" " * 64 * 1024 * 1024)[:2000]
    problem_of(post(shared, "/model/predict", bomb, **headers), 413, "body-too-large")
    # And what is no gzip, or not all of one, and every other encoding, is refused with a way out
    for body in (body_of(), packed[:-1], packed + b"x", b""):
        problem = problem_of(post(shared, "/model/predict", body, **headers), 400, "malformed-body")
        assert "content-encoding" in problem["detail"]
    for encoding in ("br", "deflate", "gzip, gzip"):
        response = post(shared, "/model/predict", packed, **{"content-encoding": encoding})
        problem = problem_of(response, 415, "unsupported-media-type")
        assert "gzip" in problem["detail"]


def test_what_is_not_there_is_a_problem(shared: httpx.Client) -> None:
    problem_of(shared.get("/nothing/here"), 404, "not-found")
    response = shared.get("/model/predict")
    assert "use POST" in problem_of(response, 405, "method-not-allowed")["detail"]
    assert "POST" in response.headers["allow"]
    problem_of(shared.get("/model/history?limit=x"), 422, "invalid-request")


def test_load_takes_versions_and_aliases_only(client: httpx.Client, home: Path) -> None:
    # Given a second version
    release_version(FolderArtifactStore(home / "store"), "2", 0.4)
    # Then the server switches by version and by alias, in the words of either
    assert post(client, "/model/load", b'{"version": "1"}').json()["alias"] is None
    for alias in ("champion", "Production"):
        answer = post(client, "/model/load", json.dumps({"alias": alias}).encode()).json()
        assert (answer["version"], answer["alias"]) == ("2", "champion")
    # And anything else is a problem that lists what exists
    problem = problem_of(post(client, "/model/load", b'{"version": "9"}'), 404, "unknown-model")
    assert "Published versions: 1, 2." in problem["detail"]
    problem_of(post(client, "/model/load", b'{"alias": "Staging"}'), 404, "unknown-model")
    problem_of(post(client, "/model/load", b'{"path": "/m.pkl"}'), 422, "invalid-request")
    problem_of(post(client, "/model/load", b"\x80\x04pickle"), 400, "malformed-body")


def test_the_openapi_document_is_served(shared: httpx.Client) -> None:
    assert shared.get("/openapi.json").json() == openapi_document()


def test_a_model_is_swapped_under_load_without_a_failed_request(home: Path) -> None:
    # Given a server that follows, and clients that send requests without pause
    store = FolderArtifactStore(home / "store")
    stop = threading.Event()
    answers: list[tuple[int, str]] = []

    def send_requests(url: str) -> None:
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                response = post(client, "/model/predict", body_of())
                version = response.json().get("model", {}).get("version", response.text)
                answers.append((response.status_code, version))

    with running_server(a_service(home, SETTINGS)) as url, ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(send_requests, url)
        wait_until(lambda: (200, "1") in answers)
        # When three versions are released during it
        for version in ("2", "3", "4"):
            release_version(store, version, 0.4)
            wait_until(lambda version=version: (200, version) in answers)  # type: ignore[misc] # bound now
        stop.set()
    # Then no request failed, and every version answered
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {"1", "2", "3", "4"}


def test_a_prediction_that_is_not_committed_is_not_sent(home: Path) -> None:
    # Given a history that fails
    with running_server(a_service(home, history=FullHistory(home))) as url:
        response = httpx.post(f"{url}/model/predict", content=body_of(), headers=JSON)
    # Then the caller gets the reason, and no probability
    problem = problem_of(response, 503, "history-unavailable")
    assert "no space for 1" in problem["detail"]
    assert "probability" not in response.json()


def test_without_a_release_every_answer_names_the_way_out(tmp_path: Path) -> None:
    with running_server(a_service(tmp_path)) as url, httpx.Client(base_url=url) as client:
        assert client.get("/health").status_code == 200
        for response in (client.get("/ready"), post(client, "/model/predict", body_of())):
            assert "make run" in problem_of(response, 503, "not-ready")["detail"]
