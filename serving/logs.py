"""Structured logs: one JSON object a line, without personal data.

Never logged: addresses of callers, headers, query strings, bodies.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from serving.clock import iso_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOGGER: Final = logging.getLogger("ontime.serving")
_FIELDS: Final = "fields"


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
        **fields: What belongs to it; values that JSON knows.
    """
    _LOGGER.log(level, event, exc_info=error, extra={_FIELDS: fields})


def write_logs_to(stream: TextIO = sys.stdout) -> None:
    """Send the lines of the service, and what the HTTP server has to say, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name, level in ((_LOGGER.name, logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
