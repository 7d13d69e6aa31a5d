"""One run at a time on one home: a file lock that the kernel releases when its process dies."""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from ontime_base.errors import OntimeError
from pipelines.runtime.dead_runs import remember_kill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_LOCKS: Final = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


class HomeInUseError(OntimeError):
    """Another process is running stages on the same home."""


@contextmanager
def only_run(home: Path) -> Iterator[str | None]:
    """Hold the run lock of a home; the value reports whose lock was taken over, or is None.

    The lock file's text names its holder. A process that ends removes the text; after a kill it is
    still there, without a lock, and `dead_runs` remembers the kill. Where the file system has no
    locks, as on a volume of Databricks, nothing is locked: the job there has one run at a time.

    Raises:
        HomeInUseError: Another process has it; names that process.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "run.lock"
    lock = FileLock(path, timeout=0, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise HomeInUseError(
            f"Another run{_holder(path)} is working in {home}: wait until it ends, "
            "or set ONTIME_HOME to another folder."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        yield None
        return
    try:
        left_by = _holder(path)
        if left_by:
            remember_kill(home)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        path.write_text(json.dumps({"pid": os.getpid(), "since": now}), encoding="utf-8")
        yield f"taking over from a run{left_by} that was killed" if left_by else None
    finally:
        path.write_text("", encoding="utf-8")
        lock.release()


def _holder(path: Path) -> str:
    """Return ` (process 12, since ...)` as the lock file has it; empty if it has no such text."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f" (process {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
