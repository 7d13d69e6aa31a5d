"""A watched process: how it ends, what it holds, and that it is killed over a limit."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.processes import MEGABYTE, Watched, watch

if TYPE_CHECKING:
    from pathlib import Path

HOLD_200_MB = "import time; data = bytearray(200_000_000); data[::4096] = b'1' * len(data[::4096])"


def watched(code: str, folder: Path, limit_s: float = 20, cap: int | None = None) -> Watched:
    command = [sys.executable, "-c", code]
    log = folder / "log.txt"
    return watch(command, log=log, environment=os.environ, limit_s=limit_s, cap_bytes=cap)


def test_its_output_and_peak_memory_are_reported(tmp_path: Path) -> None:
    # Given a process whose child holds 200 MB / When it is watched
    child = f"[sys.executable, '-c', {HOLD_200_MB + '; time.sleep(1)'!r}]"
    code = f"import subprocess, sys; subprocess.run({child}); print('well')"
    ended = watched(code, tmp_path)
    # Then its end, its output and the child's memory are reported
    assert ended.ending == "done"
    assert ended.output == "well\n"
    assert ended.peak_bytes > 200 * MEGABYTE


@pytest.mark.parametrize(
    ("code", "limit_s", "cap", "ending"),
    [
        ("import time; time.sleep(30)", 1, None, "over time"),
        (f"{HOLD_200_MB}; time.sleep(30)", 20, 100 * MEGABYTE, "over memory"),
        ("raise SystemExit(3)", 20, None, "failed"),
    ],
)
def test_it_is_killed_over_a_limit(
    tmp_path: Path, code: str, limit_s: float, cap: int | None, ending: str
) -> None:
    # Given a process over a limit, or one that fails / When it is watched / Then that is reported
    ended = watched(code, tmp_path, limit_s, cap)
    assert ended.ending == ending
    assert ended.seconds < 15


def test_a_page_that_processes_share_can_be_counted_once(tmp_path: Path) -> None:
    # Given a process whose child shares its 200 MB
    code = f"{HOLD_200_MB}; import os; os.fork(); time.sleep(1.5)"
    command = [sys.executable, "-c", code]
    # When it is watched either way
    log = tmp_path / "log.txt"
    each, once = (
        watch(command, log=log, environment=os.environ, limit_s=20, shared_once=shared).peak_bytes
        for shared in (False, True)
    )
    # Then resident memory counts them twice, and the proportional share once
    assert each > 400 * MEGABYTE
    assert 200 * MEGABYTE < once < 300 * MEGABYTE
