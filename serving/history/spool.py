"""The spool: prediction records on the local disk until the history store accepts them.

A spool is a folder of segments of lines, each line a checksum and a record. One process writes a
segment and holds a lock on it. When that process has rotated it, or has died, any process may take
the segment, move its records to the history and delete it: at least once, never lost.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ontime_base.atomic_files import create_folder, fsync_folder
from serving.history.record_lines import parse_lines, to_line
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serving.stores.history.protocol import PredictionRecord

_SUFFIX: Final = ".spool"
_DAMAGED: Final = ".damaged"
_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_MEGABYTE: Final = 1024 * 1024
_CHECK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that was taken; `complete` or `release` must follow.

    Attributes:
        records: Its records, in the order of writing.
        damaged: Number of complete lines that fail their checksum.
    """

    records: Sequence[PredictionRecord]
    damaged: int
    _path: Path
    _lock: int

    def complete(self, *, keep: bool = False) -> None:
        """Delete it: its records are in the history. With damaged lines it is renamed instead.

        Args:
            keep: Whether it is renamed in any case: the history refuses some of its records.
        """
        if self.damaged or keep:
            self._path.rename(self._path.with_suffix(_DAMAGED))
        else:
            self._path.unlink(missing_ok=True)
        os.close(self._lock)

    def release(self) -> None:
        """Unlock it without deleting it."""
        os.close(self._lock)


class FileSpool:
    """The spool in a folder; may be used by several threads, and the folder by several processes.

    Args:
        folder: Holds the segments; created at the first write.
        most_megabytes: Capacity.
        segment_bytes: Segments are rotated at this size.
    """

    def __init__(
        self, folder: Path, *, most_megabytes: int = 512, segment_bytes: int = _SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._most_bytes = most_megabytes * _MEGABYTE
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._file = -1
        self._path: Path | None = None
        self._size = 0
        self._counted: dict[Path, tuple[int, int]] = {}  # size and records of each segment
        self._listed: list[Path] = []  # segments to take, the oldest last
        self._held = 0  # bytes in other segments, at the last check

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records; they are durable when it returns.

        Raises:
            StoreError: The disk or the spool is full, or the disk fails.
        """
        lines = b"".join(map(to_line, records))
        with self._lock:
            try:
                if self._file < 0 or self._size >= self._segment_bytes:
                    self._rotate()
                    self._open_segment()
                self._require_room(len(lines))
                self._write(lines)
            except OSError as error:
                self._undo()
                raise StoreError(
                    f"The spool {self._folder} cannot be written: {error}. Check the free space "
                    "and the permissions of this folder."
                ) from error

    def take(self) -> Segment | None:
        """Return the oldest segment that no living process writes to; None when there is none.

        Raises:
            StoreError: The spool cannot be read.
        """
        with self._lock:
            try:
                found = self._take()
                if found is None and self._size:  # nothing older: the segment of this process
                    self._rotate()
                    found = self._take()
            except OSError as error:
                raise StoreError(
                    f"The spool {self._folder} cannot be read: {error}. Check its permissions."
                ) from error
        return found

    def is_empty(self) -> bool:
        """Return whether there is no segment."""
        return not self._segments()

    def waiting(self) -> int:
        """Return the number of records in the spool, of all processes.

        Reads the folder, and each segment that has changed: not to be called in an event loop.
        """
        counted: dict[Path, tuple[int, int]] = {}
        for path in self._segments():
            with suppress(FileNotFoundError):  # taken meanwhile
                size, known = path.stat().st_size, self._counted.get(path)
                if known is None or known[0] != size:
                    known = (size, path.read_bytes().count(b"\n"))
                counted[path] = known
        self._counted = counted
        return sum(lines for _, lines in counted.values())

    def check(self) -> None:
        """Raise unless there is room; writes a block to the disk and deletes it.

        Raises:
            StoreError: The spool is full, or cannot be written.
        """
        probe = self._folder / f".check-{os.getpid()}"
        with self._lock:
            try:
                create_folder(self._folder)
                self._require_room(_CHECK_BYTES)
                try:
                    with probe.open("wb") as file:
                        file.write(os.urandom(_CHECK_BYTES))
                        file.flush()
                        os.fsync(file.fileno())
                finally:
                    probe.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(
                    f"The spool {self._folder} cannot be written: {error}. Check the free space "
                    "and the permissions of this folder."
                ) from error

    def close(self) -> None:
        """Close the current segment."""
        with self._lock:
            self._rotate()

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def _take(self) -> Segment | None:
        # The folder is listed when all that were listed are taken, not for each: it may be large.
        found = self._take_listed()
        if found is None:
            self._listed = self._segments()[::-1]
            found = self._take_listed()
        return found

    def _take_listed(self) -> Segment | None:
        while self._listed:
            path = self._listed.pop()
            if (lock := _locked(path)) is not None:
                records, damaged = parse_lines(path.read_bytes())
                return Segment(records, damaged, path, lock)
        return None

    def _require_room(self, size: int) -> None:
        if self._held + self._size + size > self._most_bytes:
            self._held = self._bytes_held() - self._size  # it may have been drained since
            if self._held + self._size + size > self._most_bytes:
                raise StoreError(
                    f"The spool {self._folder} is full ({self._most_bytes // _MEGABYTE} MB): bring "
                    "the prediction history back, which empties it."
                )

    def _bytes_held(self) -> int:
        held = 0
        for path in self._segments():
            with suppress(FileNotFoundError):
                held += path.stat().st_size
        return held

    def _open_segment(self) -> None:
        create_folder(self._folder)
        self._held = self._bytes_held()
        while self._file < 0:
            path = self._folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{_SUFFIX}"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            if _lock_of(file):
                self._file, self._path = file, path
        fsync_folder(self._folder)

    def _write(self, lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)
        self._size += len(lines)

    def _undo(self) -> None:
        """Cut off what a failed write has left; a segment without any record is deleted.

        So the refused writes of a full disk leave no files behind.
        """
        if self._file < 0:
            return
        try:
            os.ftruncate(self._file, self._size)
            if not self._size and self._path is not None:
                self._path.unlink(missing_ok=True)
        except OSError:
            self._rotate()  # a partial line at the end is skipped by readers
        else:
            if not self._size:
                self._rotate()

    def _rotate(self) -> None:
        """Close the current segment, which releases its lock."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._path = -1, 0, None


def _locked(path: Path) -> int | None:
    """Return the locked file of a segment; None if another process holds it or it was deleted."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    return file if _lock_of(file) else None


def _lock_of(file: int) -> bool:
    """Lock an open file; closes it when another process holds it, or has deleted it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    if os.fstat(file).st_nlink == 0:
        os.close(file)
        return False
    return True
