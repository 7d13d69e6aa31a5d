"""Structured logs."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from serving.logs import log, write_logs_to

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    names = ("ontime.serving", "uvicorn")
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
    logging.getLogger("uvicorn.error").info("not this")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert [line["event"] for line in parsed(lines)] == ["Invalid HTTP request received."]
