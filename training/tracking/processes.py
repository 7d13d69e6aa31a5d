"""The identity of a run's process, and whether it has ended, even if its pid was reused."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from typing import Self

_PROC: Final = Path("/proc")
_BOOT: Final = _PROC / "sys/kernel/random/boot_id"
# Fields of /proc/<pid>/stat after the command name, counted from there.
_START_FIELD: Final = 19


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process, distinct from every other that had or will have its pid.

    Attributes:
        host: The machine.
        pid: Its number there.
        started: Boot of the machine and time since then; empty where the system has neither.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the identity of the current process."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()))

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Return an identity from its text; None if it is no such text."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError:
            return None

    def to_text(self) -> str:
        """Return the identity as text."""
        return msgspec.json.encode(self).decode()

    def is_dead(self) -> bool:
        """Return whether the process has certainly ended; False for one of another machine."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's process exists under this pid; it may be a later one
        return self.started != _started(self.pid)


def _started(pid: int) -> str:
    try:
        fields = (_PROC / str(pid) / "stat").read_text("utf-8").rpartition(")")[2].split()
        return f"{_BOOT.read_text('utf-8').strip()} {fields[_START_FIELD]}"
    except OSError:
        return ""
