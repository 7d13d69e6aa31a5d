"""One run at a time on one home: a lock that the system takes back from a dead process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_NO_LOCKS: Final = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


class HomeInUseError(OntimeError):
    """Another process is running stages on the same home."""


@contextmanager
def only_run(home: Path) -> Iterator[str | None]:
    """Hold the run lock of a home; the value says whose lock was taken over, or is None.

    The lock is the kernel's (`flock`), so kill -9 frees it; the file's text only tells who has it.

    Raises:
        HomeInUseError: Another process has it; names that process.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "run.lock"
    with path.open("a+", encoding="utf-8") as file:
        if not _locked(file, home):
            yield None
            return
        left_by = _holder(file)
        _write(file, {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        try:
            yield f"taking over from a run{left_by} that was killed" if left_by else None
        finally:
            _write(file, None)


def _locked(file: TextIO, home: Path) -> bool:
    """Take the lock; return False where the file system has none, as a volume of Databricks.

    There the job sees to it: it has one run at a time.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HomeInUseError(
            f"Another run{_holder(file)} is working in {home}: wait until it ends, "
            "or set ONTIME_HOME to another folder."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _holder(file: TextIO) -> str:
    """Return ` (process 12, since ...)` as the file tells it; empty if it tells nothing."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return f" (process {holder['pid']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return ""


def _write(file: TextIO, holder: dict[str, int | str] | None) -> None:
    file.seek(0)
    file.truncate()
    if holder is not None:
        file.write(json.dumps(holder))
    file.flush()
