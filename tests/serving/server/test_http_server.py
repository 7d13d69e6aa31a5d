"""The HTTP server: limits, time-outs and connections over raw sockets; what survives kill -9."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
import uvloop

from serving.http.api import Api
from serving.server.http_server import HttpServer
from serving.server.listening import reserve_port
from serving.settings import LimitSettings
from serving.stores.history.sqlite import SqlitePredictionHistory
from tests.serving.support import (
    SETTINGS,
    Connection,
    SlowHistory,
    a_home,
    a_service,
    body_of,
    running_server,
    serving_process,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.settings import ServingSettings

JSON = {"content-type": "application/json"}


def ask_until_it_fails(url: str, acknowledged: list[str]) -> None:
    with httpx.Client(base_url=url, headers=JSON) as client:
        while True:
            try:
                answer = client.post("/model/predict", content=body_of())
            except httpx.HTTPError:
                return
            assert answer.status_code == 200
            acknowledged.append(answer.json()["prediction_id"])


def stored_in(home: Path) -> list[str]:
    history = SqlitePredictionHistory(home / "serving.db")
    page = history.page(limit=100_000)
    history.close()
    return [record.prediction_id for record in page.records]


def test_what_was_acknowledged_survives_kill(home: Path) -> None:
    # Given clients that predict without pause
    acknowledged: list[str] = []
    with serving_process(home) as (process, url):
        clients = [
            threading.Thread(target=ask_until_it_fails, args=(url, acknowledged)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        # When the server is killed in the middle of them
        process.kill()
        for client in clients:
            client.join()
    # Then every acknowledged prediction is in the history, once
    stored = stored_in(home)
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) <= len(acknowledged) + 4
    # And a new server shows them
    with serving_process(home) as (_, url):
        page = httpx.get(f"{url}/model/history", params={"limit": 50}).json()
    assert [item["prediction_id"] for item in page["items"]] == stored[:50]


def test_what_waited_in_the_spool_survives_kill(home: Path) -> None:
    # Given a history that is locked, and clients that predict without pause
    acknowledged: list[str] = []
    lock = sqlite3.connect(home / "serving.db", isolation_level=None)
    with serving_process(home) as (process, url):
        lock.execute("BEGIN IMMEDIATE")
        clients = [
            threading.Thread(target=ask_until_it_fails, args=(url, acknowledged)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        # When the server is killed in the middle of them
        process.kill()
        for client in clients:
            client.join()
    lock.execute("ROLLBACK")
    lock.close()
    assert stored_in(home) == []
    # Then the next server delivers them: every acknowledged prediction is present once
    with serving_process(home):
        deadline = time.monotonic() + 20
        while list((home / "spool").iterdir()):
            assert time.monotonic() < deadline, "the spool is not empty"
            time.sleep(0.05)
    stored = stored_in(home)
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) <= len(acknowledged) + 4


def test_it_stops_on_a_signal_and_answers_requests_in_progress(home: Path) -> None:
    # Given clients that predict without pause
    acknowledged: list[str] = []
    with serving_process(home) as (process, url):
        client = threading.Thread(target=ask_until_it_fails, args=(url, acknowledged))
        client.start()
        while len(acknowledged) < 20:
            time.sleep(0.01)
        # When it receives the stop signal
        process.send_signal(signal.SIGTERM)
        # Then it ends soon, and it stored exactly what it acknowledged
        process.wait(15)
        client.join()
    assert sorted(stored_in(home)) == sorted(acknowledged)


HEAD = b"POST /model/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nhost: x\r\n"


def request(body: bytes, *headers: bytes, line: bytes = HEAD) -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return line + length + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def with_limits(**limits: float) -> ServingSettings:
    unlimited = LimitSettings(requests_per_second=0, **limits)  # type: ignore[arg-type] # by name
    return msgspec.structs.replace(SETTINGS, limits=unlimited)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with short time-outs, for the tests that change nothing in it."""
    home = a_home(tmp_path_factory.mktemp("server") / "home")
    options = with_limits(head_seconds=1, body_seconds=0.5, max_head_bytes=8192)
    with running_server(a_service(home, options)) as address:
        yield address


@pytest.mark.parametrize(
    "headers",
    [
        b"x-large: " + b"a" * 20_000,
        b"\r\n".join(b"x-%d: %s" % (number, b"a" * 100) for number in range(90)),
    ],
    ids=["one large header", "many headers"],
)
def test_a_head_over_the_limit_is_refused(url: str, headers: bytes) -> None:
    # Given a head larger than `max_head_bytes`, Then it is refused and the connection closed
    with Connection(url) as connection:
        connection.send(GET + headers + b"\r\n\r\n")
        assert connection.answer()[0] == 431
        connection.closed_after()
    # And one below the limit is read
    with Connection(url) as connection:
        connection.send(GET + headers[:7000].rpartition(b"\r\n")[0] + b"\r\n\r\n")
        assert connection.answer()[0] == 200


def test_a_head_without_end_is_not_buffered(url: str) -> None:
    # Given a caller that sends header bytes without end, Then it is refused long before 10 MB
    with Connection(url) as connection:
        sent = 0
        with contextlib.suppress(ConnectionError):
            connection.send(GET + b"x: ")
            while sent < 10_000_000:
                connection.send(b"a" * 65_536)
                sent += 65_536
        assert sent < 10_000_000


@pytest.mark.parametrize("body", [b"", body_of()], ids=["GET", "POST"])
def test_an_upgrade_to_http2_is_answered_as_http1(url: str, body: bytes) -> None:
    # Given a client that offers to upgrade to HTTP/2 (h2c), as Java's HttpClient does
    upgrade = (
        b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
        b"http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"
    )
    sent = request(body, upgrade) if body else GET + upgrade + b"\r\n\r\n"
    with Connection(url) as connection:
        for _ in range(2):  # and the connection stays open
            connection.send(sent)
            assert connection.read.peek(9)[:9] == b"HTTP/1.1 "
            status, _, answer = connection.answer()
            assert status == 200
            assert ("probability" in answer) is bool(body)


@pytest.mark.parametrize("sent", [b"", GET, HEAD[:30]], ids=["nothing", "half", "part of a line"])
def test_a_head_that_stalls_times_out(url: str, sent: bytes) -> None:
    with Connection(url) as connection:
        connection.send(sent)
        assert 0.5 < connection.closed_after() < 5


def test_an_idle_connection_stays_open_and_is_then_closed(url: str) -> None:
    with Connection(url) as connection:
        for _ in range(2):
            connection.send(GET + b"\r\n")
            assert connection.answer()[0] == 200
        assert 0.5 < connection.closed_after() < 5


@pytest.mark.parametrize("before", [b"", request(body_of())], ids=["first", "behind another"])
def test_a_body_that_stalls_times_out(url: str, before: bytes) -> None:
    with Connection(url) as connection:
        connection.send(before + request(body_of())[:-20])
        statuses = [connection.answer()[0] for _ in range(2 if before else 1)]
        assert statuses == [200, 408][-len(statuses) :]


def test_a_body_in_parts_is_read(url: str) -> None:
    sent = request(body_of(), b"x-request-id: a")
    with Connection(url) as whole, Connection(url) as parts:
        whole.send(sent)
        parts.send(sent[:-20])
        first = whole.answer()
        parts.send(sent[-20:])
        second = parts.answer()
    assert first[0] == second[0] == 200
    assert first[2]["probability"] == second[2]["probability"]
    assert first[1]["x-request-id"] == second[1]["x-request-id"] == "a"


def test_pipelined_requests_are_answered_in_order(url: str) -> None:
    with Connection(url) as connection:
        bodies = [body_of(flight_number=number) for number in (1, 2, 3)]
        connection.send(b"".join(map(request, [*bodies, b"[]"])))
        numbers = [connection.answer()[2]["flight_id"].split("-")[1] for _ in bodies]
        assert numbers == ["1", "2", "3"]
        assert connection.answer()[0] == 422


@pytest.mark.parametrize(
    ("line", "header"),
    [(HEAD, b"connection: close"), (HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"), b"a: b")],
)
def test_a_connection_is_closed_on_request_of_the_caller(
    url: str, line: bytes, header: bytes
) -> None:
    with Connection(url) as connection:
        connection.send(request(body_of(), header, line=line))
        assert connection.answer()[0] == 200
        connection.closed_after()


def test_an_invalid_request_fails_its_own_connection_only(url: str) -> None:
    with Connection(url) as bad, Connection(url) as good:
        bad.send(request(body_of()) + b"\x00\x01 nonsense\r\n\r\n")
        good.send(request(body_of()))
        assert good.answer()[0] == 200
        assert [bad.answer()[0] for _ in range(2)] == [200, 400]
        bad.closed_after()


def test_a_burst_of_connections_is_answered(url: str) -> None:
    # Given 300 callers that connect at the same time
    connections = [Connection(url) for _ in range(300)]
    for connection in connections:
        connection.send(request(body_of()))
    # Then every one is answered
    for connection in connections:
        with connection:
            assert connection.answer()[0] == 200


def test_a_caller_that_disconnects_does_not_affect_others(home: Path) -> None:
    # Given a caller that disconnects before its prediction is committed
    history = SlowHistory(home)
    with running_server(a_service(home, SETTINGS, history=history)) as url:
        with Connection(url) as gone:
            gone.send(request(body_of()))
            assert history.begun.wait(10)
        history.go.set()
        # Then the prediction is in the history all the same, and others are answered
        wait_until(lambda: len(history.page(limit=9).records) == 1)
        with Connection(url) as other:
            other.send(request(body_of()))
            assert other.answer()[0] == 200


def test_stopping_answers_what_is_under_way_and_accepts_no_more(home: Path) -> None:
    # Given a request whose prediction waits for the disk
    history = SlowHistory(home)
    with reserve_port("127.0.0.1", 0) as reserved, ThreadPoolExecutor(1) as pool:
        server = HttpServer(Api(a_service(home, SETTINGS, history=history)), reserved)
        ready = threading.Event()
        serving = pool.submit(lambda: uvloop.run(server.run(ready.set)))
        assert ready.wait(20)
        with Connection(f"http://127.0.0.1:{server.port}") as connection:
            connection.send(request(body_of()))
            assert history.begun.wait(10)
            # When the server is stopped
            server.stop()
            wait_until(lambda: not accepts(server.port))
            history.go.set()
            # Then the request is answered, and its prediction is in the history
            status, _, answer = connection.answer()
        serving.result(20)
    assert status == 200
    stored = SqlitePredictionHistory(home / "serving.db")
    assert [r.prediction_id for r in stored.page(limit=9).records] == [answer["prediction_id"]]
    stored.close()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
