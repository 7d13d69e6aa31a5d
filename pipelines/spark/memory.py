"""Validates that this machine has the memory that a local session needs, before Java starts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON_BYTES: Final = 1_000_000_000
"""What the Python processes need beside the Java of a local session."""
_LEAST_JAVA_BYTES: Final = 1_000_000_000
_UNITS: Final = {"m": 2**20, "g": 2**30}
_ROOT: Final = Path("/")


class LowMemoryError(OntimeError):
    """There is too little memory free to start."""


def validate_free_memory(driver_memory: str, free: int | None = None) -> None:
    """Return if Java and Python have the memory that they need; also if the system reports none.

    Args:
        driver_memory: Most memory of Java's heap, such as `4g` or `1500m`.
        free: Bytes that are free; None: as the system reports.

    Raises:
        LowMemoryError: There is less; names what is needed, and a setting that needs less.
    """
    java = int(driver_memory[:-1]) * _UNITS[driver_memory[-1]]
    available = free_bytes() if free is None else free
    if available is None or available >= java + PYTHON_BYTES:
        return
    left = available - PYTHON_BYTES
    lower = f", or give Spark less: --set spark.driver_memory={left // 2**20}m"
    raise LowMemoryError(
        f"{available / 1e9:.1f} GB of memory are free, and {(java + PYTHON_BYTES) / 1e9:.1f} GB "
        f"are needed: {java / 1e9:.1f} for Spark (spark.driver_memory in conf/) and "
        f"{PYTHON_BYTES / 1e9:.1f} for Python. Close something"
        f"{lower if left >= _LEAST_JAVA_BYTES else ''}."
    )


def free_bytes(root: Path = _ROOT) -> int | None:
    """Return the memory that a process can get: of the machine, or less in a control group.

    None where the system reports none. macOS reports only the memory that the machine has.

    Args:
        root: Where `proc` and `sys` are.
    """
    found = [*_of_machine(root), *_of_control_groups(root)]
    return min(found) if found else _of_macos()


def _of_machine(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _of_control_groups(root: Path) -> Iterator[int]:
    """Yield what each control group above this process leaves it, files in memory not counted.

    Version 1 and 2 name the same files differently. In a container the path of a group may not be
    visible: then it is at the top.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            top = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            top = root / "sys/fs/cgroup/memory"
        else:
            continue
        group = top / path.strip().lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top):
                yield from _left_in(folder, *names)


def _left_in(folder: Path, limit: str, used: str, files: str) -> Iterator[int]:
    most, now = (" ".join(_lines(folder / name)) for name in (limit, used))
    if not (most.isdigit() and now.isdigit()):  # "max": no limit
        return
    cached = [int(line.split()[1]) for line in _lines(folder / "memory.stat") if _is(files, line)]
    yield max(0, int(most) - int(now) + sum(cached))


def _is(name: str, line: str) -> bool:
    return line.split(maxsplit=1)[0] == name


def _of_macos() -> int | None:
    sysctl = shutil.which("sysctl")
    if sysctl is None:
        return None
    command = [sysctl, "-n", "hw.memsize"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return int(done.stdout) if done.stdout.strip().isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
