"""Monitors a process tree: its time, its memory, and limits on both."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SAMPLE_S: Final = 0.2
MEGABYTE: Final = 1_000_000

Ending = Literal["done", "failed", "over time", "over memory"]


@dataclass(frozen=True)
class Watched:
    """The outcome of a process: time, memory and exit.

    Attributes:
        ending: How it ended; over a limit it was killed.
        seconds: From start to end.
        peak_bytes: Greatest memory of the process and its children, in all, as `watch` counts it.
        output: What it printed.
    """

    ending: Ending
    seconds: float
    peak_bytes: int
    output: str


def watch(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    limit_s: float,
    cap_bytes: int | None = None,
    shared_once: bool = False,
    sample_s: float = _SAMPLE_S,
) -> Watched:
    """Run a command to its end, or kill it with all its children when it is over a limit.

    Args:
        command: The program and its arguments.
        log: Where its error output is written.
        environment: Its environment.
        limit_s: Most seconds that it may take.
        cap_bytes: Most memory that it and its children may have, in all.
        shared_once: Count a page that n processes share as 1/n in each (the sum of proportional
            set sizes, which Linux reports); else it counts in each (resident memory).
        sample_s: Seconds from one look at the memory to the next.
    """
    started, peak = time.monotonic(), 0
    output = log.with_suffix(".out")
    with log.open("w") as errors, output.open("w") as printed:
        process = subprocess.Popen(
            command, stdout=printed, stderr=errors, env=dict(environment), start_new_session=True
        )
        over: Ending | None = None
        while process.poll() is None:
            memory = _memory_bytes(process.pid, shared_once=shared_once)
            peak = max(peak, memory)
            if cap_bytes is not None and memory > cap_bytes:
                over = "over memory"
            elif time.monotonic() - started > limit_s:
                over = "over time"
            if over:
                _kill(process.pid)
                process.wait()
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(sample_s)
    ending: Ending = over or ("done" if process.returncode == 0 else "failed")
    text = output.read_text(encoding="utf-8")
    return Watched(ending, time.monotonic() - started, peak, text)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory_bytes(pid: int, *, shared_once: bool) -> int:
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            full = process.memory_full_info() if shared_once else process.memory_info()
            total += getattr(full, "pss", full.rss)
    return total


def _kill(pid: int) -> None:
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
