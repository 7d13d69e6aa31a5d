"""The client against a small server with scripted answers, errors included."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from serving.stores.aws.access import AwsAccess, Credentials
from serving.stores.aws.client import AwsClient, AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Answer:
    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    hang_up: bool = False
    close_after: bool = False


class ScriptedServer(ThreadingHTTPServer):
    """Gives its scripted answers in order, and repeats the last one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [Answer()]
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.connections: set[Any] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that gave up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
        server.connections.add(self.client_address)
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        time.sleep(answer.delay)
        if answer.hang_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.close_after

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def connect(server: ScriptedServer) -> Iterator[Callable[..., AwsClient]]:
    url = f"http://127.0.0.1:{server.server_port}"
    access = AwsAccess("dynamodb", "eu-west-1", url, lambda: Credentials("id", "key"))
    with contextlib.ExitStack() as opened:

        def make(**options: Any) -> AwsClient:
            client = AwsClient(access, **options)
            opened.callback(client.close)
            return client

        yield make


def refusal(code: str, status: int = 400, **headers: str) -> Answer:
    body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "why"}).encode()
    return Answer(status, body, headers)


def test_calls_share_a_connection(
    server: ScriptedServer, connect: Callable[..., AwsClient]
) -> None:
    client = connect()
    for _ in range(3):
        assert client.call("GetItem", {"TableName": "t"}) == {"ok": True}
    assert len(server.connections) == 1
    headers, body = server.requests[0]
    assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert json.loads(body) == {"TableName": "t"}


def test_a_connection_that_was_closed_meanwhile_is_reopened(
    server: ScriptedServer, connect: Callable[..., AwsClient]
) -> None:
    # Given a server that closes a connection after its answer, without announcing it
    server.answers = [Answer(close_after=True), Answer()]
    client = connect(tries=1)
    client.call("GetItem", {})
    # Then the next call, which has one try, does not notice
    assert client.call("GetItem", {}) == {"ok": True}


@pytest.mark.parametrize(
    "fault",
    [
        refusal("InternalServerError", 500),
        refusal("ThrottlingException"),
        refusal("ProvisionedThroughputExceededException"),
        Answer(503, b"<html>busy</html>"),
        Answer(hang_up=True),
        Answer(headers={"x-amz-crc32": "1"}),
        Answer(delay=0.5),
    ],
)
def test_what_may_pass_is_tried_again(
    server: ScriptedServer, connect: Callable[..., AwsClient], fault: Answer
) -> None:
    # Given a service that fails twice and then works
    good = Answer(headers={"x-amz-crc32": str(zlib.crc32(Answer().body))})
    server.answers = [fault, fault, good]
    # Then the caller gets the answer
    assert connect(tries=3, timeout_seconds=0.2).call("GetItem", {}) == {"ok": True}
    # And with fewer tries the reason
    server.answers = [fault]
    with pytest.raises(AwsError, match="did not carry out GetItem in 2 tries"):
        connect(tries=2, timeout_seconds=0.2).call("GetItem", {})


def test_what_is_refused_is_not_tried_again(
    server: ScriptedServer, connect: Callable[..., AwsClient]
) -> None:
    server.answers = [refusal("ResourceNotFoundException")]
    with pytest.raises(AwsError, match=r"ResourceNotFoundException\): why .*exists") as caught:
        connect().call("GetItem", {})
    assert caught.value.code == "ResourceNotFoundException"
    assert len(server.requests) == 1


def test_a_wrong_clock_is_set_by_the_service(
    server: ScriptedServer, connect: Callable[..., AwsClient]
) -> None:
    # Given a clock an hour behind, and a service that refuses what it signs
    wrong = refusal("InvalidSignatureException")  # its Date header comes from the server
    server.answers = [wrong, Answer()]
    client = connect(clock=lambda: time.time() - 3600)
    # Then the call is made again by the service's clock, and so are later ones
    assert client.call("GetItem", {}) == {"ok": True}
    times = [headers["x-amz-date"] for headers, _ in server.requests]
    assert times[0] < times[1]
    client.call("GetItem", {})
    assert server.requests[-1][0]["x-amz-date"] >= times[1]


def test_a_wrong_signature_by_a_right_clock_is_refused(
    server: ScriptedServer, connect: Callable[..., AwsClient]
) -> None:
    server.answers = [refusal("InvalidSignatureException")]
    with pytest.raises(AwsError, match="InvalidSignatureException"):
        connect().call("GetItem", {})
    assert len(server.requests) == 1


def test_many_threads_call(server: ScriptedServer, connect: Callable[..., AwsClient]) -> None:
    client = connect()
    failures: list[BaseException] = []

    def call_often() -> None:
        try:
            for _ in range(20):
                assert client.call("GetItem", {}) == {"ok": True}
        except BaseException as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    threads = [threading.Thread(target=call_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(server.requests) == 160
    assert len(server.connections) <= 8


def test_an_unreachable_endpoint_is_named() -> None:
    access = AwsAccess("sqs", "r", "http://127.0.0.1:9", lambda: Credentials("id", "key"))
    with pytest.raises(AwsError, match=r"sqs at http://127\.0\.0\.1:9.*network"):
        AwsClient(access, tries=2).call("SendMessage", {})
