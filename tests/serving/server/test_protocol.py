"""The short way of predictions through the HTTP protocol: only time tells it from the long one."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from serving.http.api import Api
from serving.settings import LimitOptions
from serving.stores.errors import StoreError
from tests.serving.support import SETTINGS, a_service, body_of, running_server, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serving.inference.core import Prediction, Wanted
    from serving.schema.problems import InvalidRequestError

HEAD = b"POST /model/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def request(body: bytes, *headers: bytes, line: bytes = HEAD) -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return line + length + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


class Connection:
    """One connection, byte by byte."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.read = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Read one answer: status, headers and JSON body."""
        status = int(self.read.readline().split()[1])
        headers = {}
        while line := self.read.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        return status, headers, json.loads(self.read.read(int(headers["content-length"])))

    def close(self) -> None:
        self.read.close()
        self.socket.close()


def test_both_ways_answer_alike(home: Path) -> None:
    # Given a server, and a request that takes the short way, one whose body comes later, and one
    # that names where it was forwarded from
    with running_server(a_service(home, SETTINGS)) as url:
        whole, parts, forwarded = (Connection(url) for _ in range(3))
        sent = request(body_of(), b"x-request-id: a")
        whole.send(sent)
        parts.send(sent[:-20])
        time.sleep(0.1)
        parts.send(sent[-20:])
        forwarded.send(request(body_of(), b"x-request-id: a", b"x-forwarded-for: 10.0.0.1"))
        answers = [each.answer() for each in (whole, parts, forwarded)]
        # Then status and headers are the same, and so is what is not new with every prediction
        for status, headers, body in answers:
            assert status == 200
            assert list(headers) == list(answers[0][1])
            assert body["probability"] == answers[0][2]["probability"]
            assert headers["x-request-id"] == "a"
        # And the connections go on
        for each in (whole, parts, forwarded):
            each.send(sent)
            assert each.answer()[0] == 200
            each.close()


def test_requests_that_come_one_behind_the_other_are_answered_in_order(home: Path) -> None:
    with running_server(a_service(home, SETTINGS)) as url:
        connection = Connection(url)
        bodies = [body_of(flight_number=number) for number in (1, 2, 3)]
        connection.send(b"".join(map(request, [*bodies, b"[]"])))
        numbers = [connection.answer()[2]["flight_id"].split("-")[1] for _ in bodies]
        assert numbers == ["1", "2", "3"]
        assert connection.answer()[0] == 422
        connection.close()


@pytest.mark.parametrize(
    ("line", "header", "kept"),
    [
        (HEAD, b"connection: close", False),
        (HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"), b"a: b", False),
        (HEAD, b"a: b", True),
    ],
)
def test_a_connection_ends_when_the_caller_wants_it(
    home: Path, line: bytes, header: bytes, *, kept: bool
) -> None:
    with running_server(a_service(home, SETTINGS)) as url:
        connection = Connection(url)
        connection.send(request(body_of(), header, line=line))
        status, headers, _ = connection.answer()
        assert status == 200
        assert ("connection" in headers) is not kept
        connection.send(request(body_of()) if kept else b"")
        assert bool(connection.read.readline()) is kept
        connection.close()


def test_one_at_fault_is_no_matter_of_those_beside_it(home: Path) -> None:
    # Given many callers at the same time, every third of whom asks nonsense
    with running_server(a_service(home, SETTINGS)) as url:
        headers = {"content-type": "application/json"}
        bodies = [body_of(flight_number=n) if n % 3 else b'{"carrier": 1}' for n in range(90)]
        with httpx.Client(base_url=url, headers=headers) as client, ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda b: client.post("/model/predict", content=b), bodies))
        # Then each gets its own answer
        for number, answer in enumerate(answers):
            assert answer.status_code == (200 if number % 3 else 422)
            if number % 3:
                assert answer.json()["flight_id"].split("-")[1] == str(number)
        kept = httpx.get(f"{url}/model/history", params={"limit": 100}).json()["items"]
        assert len({entry["prediction_id"] for entry in kept}) == 60


def test_what_fails_for_all_is_tried_for_each(home: Path) -> None:
    # Given a step that fails as soon as a certain flight is among those that came together
    service = a_service(home, SETTINGS)
    core = service._core
    predict_together = core.predict_together

    def fails(wanted: Sequence[Wanted]) -> list[Prediction | InvalidRequestError]:
        if any(b"666" in each.body for each in wanted):
            raise RuntimeError("odd")
        return predict_together(wanted)  # type: ignore[return-value] # no other problem here

    core.predict_together = fails  # type: ignore[method-assign, assignment] # of this core alone
    with running_server(service) as url:
        # When it comes together with others
        connections = [Connection(url) for _ in range(12)]
        for number, connection in enumerate(connections):
            flight = 666 if number == 5 else number + 1
            connection.send(request(body_of(flight_number=flight)))
        # Then it alone is told that something went wrong
        statuses = [connection.answer()[0] for connection in connections]
        assert statuses == [200] * 5 + [500] + [200] * 6


def test_what_cannot_be_kept_is_not_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service(home, SETTINGS)

    def full(_records: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(service.history, "append", full)
    with running_server(service) as url:
        connection = Connection(url)
        connection.send(request(body_of()))
        status, _, body = connection.answer()
        assert (status, "the disk is full" in body["detail"]) == (503, True)
        connection.close()


def test_who_has_gone_is_no_trouble(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a history that is slow, and a caller who hangs up before it has kept the prediction
    service = a_service(home, SETTINGS)
    append, go = service.history.append, threading.Event()
    monkeypatch.setattr(service.history, "append", lambda some: (go.wait(10), append(some)))
    api = Api(service)
    with running_server(api) as url:
        connection = Connection(url)
        connection.send(request(body_of()))
        time.sleep(0.2)
        connection.close()
        time.sleep(0.2)
        go.set()
        # Then the prediction is in the history all the same, and others are answered
        wait_until(lambda: len(service.history.page(limit=9).records) == 1)
        other = Connection(url)
        other.send(request(body_of()))
        assert other.answer()[0] == 200
        other.close()


def test_nonsense_behind_requests_harms_nobody_else(home: Path) -> None:
    # Given a history that waits, so that all that comes is kept with one commit
    service = a_service(home, SETTINGS)
    append, go = service.history.append, threading.Event()
    with pytest.MonkeyPatch.context() as patch, running_server(service) as url:
        patch.setattr(service.history, "append", lambda some: (go.wait(10), append(some)))
        first, bad, *others = (Connection(url) for _ in range(6))
        first.send(request(body_of()))
        time.sleep(0.2)
        # When one sends two requests and nonsense behind them, and others send theirs
        bad.send(request(body_of()) + request(body_of()) + b"\x00\x01 nonsense\r\n\r\n")
        for other in others:
            other.send(request(body_of()))
        time.sleep(0.2)
        go.set()
        # Then the others are answered
        assert [each.answer()[0] for each in (first, *others)] == [200] * 5
        for each in (first, bad, *others):
            each.close()


def test_a_body_that_stalls_behind_another_request_is_not_awaited_for_ever(home: Path) -> None:
    options = msgspec.structs.replace(SETTINGS, limits=LimitOptions(body_seconds=1))
    with running_server(a_service(home, options)) as url:
        connection = Connection(url)
        connection.send(request(body_of()) + request(body_of())[:-20])
        assert [connection.answer()[0] for _ in range(2)] == [200, 408]
        connection.close()
