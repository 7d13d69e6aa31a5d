"""What can go wrong with a table, and how it is told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_ALLOWED = ("Permission denied", "DELTA_CANNOT_CREATE_LOG_PATH", "Not a directory")


class TableMissingError(OntimeError):
    """A table, or the version of it that was asked for, does not exist."""


class TableWriteError(OntimeError):
    """A table could not be written; it is as it was before."""


@contextmanager
def write_errors(name: str, uri: str) -> Iterator[None]:
    """Tell in one sentence why a table cannot be written, where a person can do something."""
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        if "No space left on device" in text:
            raise TableWriteError(
                f"No space left on the disk while table {name} was written to {uri}: the table is "
                "as before. Free some space and run again."
            ) from error
        if any(sign in text for sign in _NOT_ALLOWED):
            raise TableWriteError(
                f"Table {name} cannot be written to {uri}: no folder can be made or changed there. "
                "Set ONTIME_HOME to a folder that you may write to."
            ) from error
        if "Concurrent" in type(error).__name__ or "DELTA_CONCURRENT" in text:
            raise TableWriteError(
                f"Another process wrote table {name} at the same time: the table has its rows, "
                "not ours. Run again when it has ended."
            ) from error
        raise
