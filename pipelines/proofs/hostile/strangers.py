"""Nothing is free for strangers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from pipelines.proofs.hostile.running import FLIGHT, request_of, require, wait_until

if TYPE_CHECKING:
    from pipelines.proofs.hostile.running import Connection, RunningService
    from pipelines.proofs.hostile.world import World

WORST_HEAD_MEMORY: Final = "worst_head_memory_mb"
_MOST_MEMORY_MB: Final = 160
_TOO_LARGE: Final = 431
_CONNECTIONS: Final = 16
_MEGABYTE: Final = 1_048_576
_LARGEST_PROBLEM: Final = 16_384
_QUICK: Final = {"serving.limits.head_seconds": 1, "serving.limits.body_seconds": 1}
_CLOSED_SECONDS: Final = 6.0
_PREDICT: Final = "/model/predict"


def heads_of_any_size_take_no_memory(world: World) -> None:
    """Heads of 16 MB from 16 strangers are refused, and the memory of the service stays."""
    world.service.reset_peak()
    for _ in range(_CONNECTIONS):
        with world.service.connect() as stranger, contextlib.suppress(ConnectionError):
            stranger.send(b"GET /health HTTP/1.1\r\nhost: x\r\nx-large: ")
            for _ in range(16):
                stranger.send(b"a" * _MEGABYTE)
    peak = world.figures[WORST_HEAD_MEMORY] = world.service.memory_mb(peak=True)
    require(peak <= _MOST_MEMORY_MB, f"the resident memory reached {peak:.0f} MB")
    require(world.service.get("/health").status == http.client.OK, "it does not answer any more")


def a_head_over_the_limit_is_answered_431(world: World) -> None:
    """A head of 32 KB in one header, or in many, is refused before the caller is known."""
    many = "".join(f"x-{number}: {'a' * 100}\r\n" for number in range(300))
    for headers in (f"x-large: {'a' * 32_768}\r\n", many):
        with world.service.connect() as stranger:
            stranger.send(f"GET /model HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
            answer = stranger.answer()
            require(answer.status == _TOO_LARGE, str(answer))


def line_ends_after_an_answer_do_not_keep_a_connection_open(world: World) -> None:
    """A caller that sends a line end now and then is disconnected as an idle one is."""
    with world.own_service(_QUICK) as service, service.connect() as stranger:
        stranger.send(request_of("GET", "/health"))
        require(stranger.answer().status == http.client.OK, "it did not answer")
        _require_closed(stranger, b"\r\n")


def a_head_that_trickles_does_not_keep_a_connection_open(world: World) -> None:
    """A caller that sends one byte of a head now and then is disconnected in time."""
    with world.own_service(_QUICK) as service, service.connect() as stranger:
        stranger.send(b"GET /health HTTP/1.1\r\nx: ")
        _require_closed(stranger, b"a")


def a_body_left_over_after_an_answer_does_not_keep_a_connection_open(world: World) -> None:
    """A caller that is refused by its head, and goes on with its body, is disconnected."""
    with world.own_service(_QUICK) as service:
        for length in ("content-length: 50000", "transfer-encoding: chunked"):
            head = ["content-type: application/json", length]
            with service.connect() as stranger:
                stranger.send(request_of("POST", _PREDICT, head))
                answer = stranger.answer()
                require(answer.status == http.client.UNAUTHORIZED, str(answer))
                _require_closed(stranger, b"1\r\na\r\n" if "chunked" in length else b"a")


def a_body_that_trickles_is_answered_408_and_disconnected(world: World) -> None:
    """A caller with a key that sends its body byte by byte is refused, and then disconnected."""
    with world.own_service(_QUICK) as service, service.connect() as slow:
        head = [_authorization(service), "content-type: application/json", "content-length: 5000"]
        slow.send(request_of("POST", _PREDICT, head))
        answer = slow.answer()
        require(answer.status == http.client.REQUEST_TIMEOUT, str(answer))
        _require_closed(slow, b"a")


def a_key_after_the_head_does_not_authenticate(world: World) -> None:
    """What a caller sends as a trailer of its body is not a header of the request."""
    body = json.dumps(FLIGHT).encode()
    key = _authorization(world.service)
    head = [
        "content-type: application/json",
        "transfer-encoding: chunked",
        "trailer: authorization",
    ]
    chunks = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, key.encode())
    with world.service.connect() as stranger:
        stranger.send(request_of("POST", _PREDICT, head) + chunks)
        answer = stranger.answer()
        require(answer.status == http.client.UNAUTHORIZED, str(answer))


def a_header_name_with_a_line_end_in_it_adds_no_header(world: World) -> None:
    """A line feed alone, or a folded line, does not smuggle a key into the head."""
    key = _authorization(world.service)
    for smuggled in (f"x: a\n{key}", f"x: a\r\n {key}", f"x: a\r{key}"):
        with world.service.connect() as stranger:
            stranger.send(b"GET /model HTTP/1.1\r\nhost: x\r\n" + smuggled.encode() + b"\r\n\r\n")
            refused = {http.client.BAD_REQUEST, http.client.UNAUTHORIZED}
            if "\n" in smuggled and "\r" not in smuggled:
                refused.add(http.client.OK)  # a line feed alone may end a line (RFC 9112, 2.2)
            answer = stranger.answer()
            require(answer.status in refused, f"{smuggled[:8]!r}: {answer}")


def unknown_field_names_make_no_large_answer(world: World) -> None:
    """64 KB of unknown names are answered with the first of them, in a few kilobytes."""
    names = {f"{number:x}": 0 for number in range(5_000)}
    answer = world.service.post(_PREDICT, {**FLIGHT, **names})
    require(answer.status == http.client.UNPROCESSABLE_ENTITY, str(answer))
    require(len(answer.body) <= _LARGEST_PROBLEM, f"the answer has {len(answer.body):,} bytes")
    batch = {"flights": [{**FLIGHT, **dict.fromkeys(map(str, range(40)), 0)} for _ in range(700)]}
    answer = world.service.post("/model/predict/batch", batch)
    most = 700 * 2_000
    require(len(answer.body) <= most, f"the answer of a batch has {len(answer.body):,} bytes")


def callers_that_send_unknown_names_do_not_starve_others(world: World) -> None:
    """Beside eight callers that send 64 KB of unknown names without pause, others are answered."""
    body = json.dumps(dict.fromkeys((f"flight_numbe{n:x}" for n in range(3_300)), 0)).encode()
    stopped = threading.Event()

    def attack() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                world.service.post(_PREDICT, body)

    attackers = [threading.Thread(target=attack) for _ in range(8)]
    for attacker in attackers:
        attacker.start()
    try:
        statuses = [world.service.predict().status for _ in range(20)]
    finally:
        stopped.set()
        for attacker in attackers:
            attacker.join()
    require(set(statuses) == {http.client.OK}, f"others were answered {statuses}")


def asynchronous_jobs_and_events_are_bounded(world: World) -> None:
    """Over the limit of the queue they are refused with 503, `Retry-After` and a count."""
    event = {"event": "flight_departed", "flight_id": "UA-7-2013123115", "at": "2013-12-31T15:41Z"}
    for path, content, name in (
        ("/model/predict/async", dict(FLIGHT), "jobs"),
        ("/events", {"events": [event] * 100}, "events"),
    ):
        with world.own_service({"serving.stores.most_queued": 4}) as service:
            answers = [service.post(path, content) for _ in range(40)]
            refused = [each for each in answers if each.status == http.client.SERVICE_UNAVAILABLE]
            known = {http.client.ACCEPTED, http.client.SERVICE_UNAVAILABLE}
            require({each.status for each in answers} <= known, f"{path}: {answers[-1]}")
            require(refused, f"{path}: none of 40 was refused")
            require("retry-after" in refused[0].headers, f"{path}: no Retry-After")
            shed = service.metric("ontime_shed_total", reason=f"{name}_waiting")
            require(shed == len(refused), f"{path}: {shed} were counted, not {len(refused)}")
            wait_until(
                lambda each=service, gauge=f"ontime_{name}_waiting": each.metric(gauge) == 0,
                "those that were accepted were not worked on",
            )


def a_function_without_settings_is_closed(world: World) -> None:
    """The function behind API Gateway answers nobody while its environment names no keys."""
    script = (
        "from serving.lambdas.api_handler import handler\n"
        "from serving.http.access import AccessError\n"
        "try:\n"
        "    handler({'version': '2.0', 'rawPath': '/model', 'requestContext': "
        "{'http': {'method': 'GET'}}}, None)\n"
        "except AccessError:\n"
        "    print('closed')\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ONTIME_")}
    ended = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", script],
        env={**environment, "ONTIME_HOME": str(world.new_home())},
        capture_output=True,
        text=True,
        check=False,
    )
    require(ended.stdout.strip() == "closed", f"it printed {ended.stdout} {ended.stderr[-300:]}")


def _authorization(service: RunningService) -> str:
    return f"authorization: Bearer {service.key}"


def _require_closed(connection: Connection, more: bytes) -> None:
    """Send some bytes again and again, and require that the service closes the connection."""
    deadline = time.monotonic() + _CLOSED_SECONDS
    while time.monotonic() < deadline:
        try:
            connection.send(more)
        except ConnectionError:
            return
        if connection.is_closed_within(0.2):
            return
    require(held=False, text=f"the connection was still open after {_CLOSED_SECONDS:g} s")
