"""Structured logs: one JSON object a line, without personal data.

Never logged: addresses of callers, headers, query strings, bodies.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from serving.schema.clock import iso_ms, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOGGER: Final = logging.getLogger("ontime.serving")
SERVER_LOGGER: Final = "_granian"  # as the server's own documents name it
_FIELDS: Final = "fields"
_PAUSE_SECONDS: Final = 0.1


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, event, and the fields it was given."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: Mapping[str, object] = getattr(record, _FIELDS, {})
        line = {
            "time": iso_ms(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def log(level: int, event: str, *, error: BaseException | None = None, **fields: object) -> None:
    """Write one line.

    Args:
        level: Level as in `logging`.
        event: What happened, in one word such as `request`.
        error: Its traceback is added.
        **fields: Its fields; values must be JSON types.
    """
    _LOGGER.log(level, event, exc_info=error, extra={_FIELDS: fields})


def log_request(fields: Mapping[str, object]) -> None:
    """Write the line of a request: as `log` does, but past the logging module where it can."""
    if _writers and _LOGGER.isEnabledFor(logging.INFO):
        line = {"time": iso_ms(now_ms()), "level": "info", "event": "request", **fields}
        _writers[-1].write(msgspec.json.encode(line).decode() + "\n")
    else:
        _LOGGER.info("request", extra={_FIELDS: fields})


class LineWriter(io.TextIOBase):
    """Writes lines to a stream in a thread of its own, several at a time.

    Writing never blocks. Lines over the limit are dropped, and their number is logged. Lines of the
    last tenth of a second are lost when the process is killed.

    Args:
        stream: Where the lines go.
        most: Lines that may be buffered.
    """

    def __init__(self, stream: TextIO, *, most: int = 100_000) -> None:
        self._stream = stream
        self._most = most
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Take a line."""
        if len(self._waiting) < self._most:
            self._waiting.append(text)
        else:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread flushes."""

    def close(self) -> None:
        """Write what is buffered, then stop."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
        super().close()

    def _work(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self._write_out()
        self._write_out()

    def _write_out(self) -> None:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            line = {"level": "error", "event": "log_lines_dropped", "lines": dropped}
            lines.append(msgspec.json.encode(line).decode() + "\n")
        if lines:
            with contextlib.suppress(OSError, ValueError):  # a closed log must not fail requests
                self._stream.write("".join(lines))
                self._stream.flush()


_writers: list[LineWriter] = []


@contextlib.contextmanager
def writing_logs_to(stream: TextIO) -> Iterator[None]:
    """Do as `write_logs_to` through a `LineWriter`, until the context ends."""
    writer = LineWriter(stream)
    write_logs_to(writer)  # type: ignore[arg-type] # all that a handler needs of a stream
    _writers.append(writer)
    try:
        yield
    finally:
        _writers.remove(writer)
        write_logs_to(stream)
        writer.close()


def write_logs_to(stream: TextIO = sys.stdout) -> None:
    """Send the log lines of the service, and the errors of the HTTP server, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name, level in ((_LOGGER.name, logging.INFO), (SERVER_LOGGER, logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
