"""Structured logs."""

from __future__ import annotations

import io
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from serving.telemetry.logs import (
    SERVER_LOGGER,
    LineWriter,
    log,
    log_request,
    write_logs_to,
    writing_logs_to,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    names = ("ontime.serving", SERVER_LOGGER)
    before = [
        (logging.getLogger(n), logging.getLogger(n).handlers, logging.getLogger(n).propagate)
        for n in names
    ]
    stream = io.StringIO()
    write_logs_to(stream)
    yield stream
    for logger, handlers, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object(lines: io.StringIO) -> None:
    # Given an event with fields that hold line feeds and quotes
    log(logging.INFO, "request", path='a"b\nc', ms=1.5)
    # Then it is one line of JSON
    (line,) = parsed(lines)
    assert (line["level"], line["event"]) == ("info", "request")
    assert (line["path"], line["ms"]) == ('a"b\nc', 1.5)
    assert line["time"].endswith("Z")


def test_an_error_brings_its_traceback(lines: io.StringIO) -> None:
    log(logging.ERROR, "request_failed", error=ValueError("odd"))
    (line,) = parsed(lines)
    assert "ValueError: odd" in line["exception"]


def test_the_http_server_writes_json_too(lines: io.StringIO) -> None:
    logging.getLogger(SERVER_LOGGER).info("not this")
    logging.getLogger(SERVER_LOGGER).error("Application callable raised an exception")
    assert [line["event"] for line in parsed(lines)] == ["Application callable raised an exception"]


def test_a_background_writer_writes_all_lines_in_order(lines: io.StringIO) -> None:
    # Given lines of requests and of events, written by way of a thread
    stream = io.StringIO()
    with writing_logs_to(stream):
        for number in range(500):
            log_request({"number": number})
            log(logging.INFO, "event", number=number)
    # Then all of them are written in the end, in order, and the stream before gets none
    found = parsed(stream)
    assert [line["number"] for line in found] == [n for n in range(500) for _ in range(2)]
    assert [line["event"] for line in found[:2]] == ["request", "event"]
    assert found[0]["level"] == "info"
    assert lines.getvalue() == ""


def test_a_background_writer_drops_rather_than_waits() -> None:
    class Stuck(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.go_on = threading.Event(), threading.Event()

        def write(self, text: str) -> int:
            self.asked.set()
            self.go_on.wait(10)
            return super().write(text)

    # Given a stream that takes nothing, When more lines come than may wait
    stream = Stuck()
    writer = LineWriter(stream, most=10)
    writer.write("first\n")
    assert stream.asked.wait(10)
    for _ in range(15):
        writer.write("line\n")
    stream.go_on.set()
    writer.close()
    # Then the rest is dropped, and counted
    assert stream.getvalue().count("line\n") == 10
    assert '"lines":5' in stream.getvalue()
