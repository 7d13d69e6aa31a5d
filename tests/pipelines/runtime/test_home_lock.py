from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipelines.runtime.home_lock import HomeInUseError, only_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from pipelines.runtime.home_lock import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_gets_the_name_of_the_holder(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(HomeInUseError, match=f"process {holder.pid}, since"), only_run(tmp_path):
        pytest.fail("two runs on one home")


def test_the_lock_of_a_killed_run_is_taken_over_and_reported(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    # Given a run that was killed with kill -9
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    # When the next one starts
    with only_run(tmp_path) as taken_over:
        # Then it has the lock, and reports whose it was
        assert taken_over is not None
        assert f"process {holder.pid}" in taken_over
    with only_run(tmp_path) as after:
        assert after is None


def test_a_run_that_ends_leaves_nothing_to_take_over(tmp_path: Path) -> None:
    for _ in range(2):
        with only_run(tmp_path / "home") as taken_over:
            assert taken_over is None


def test_a_run_that_fails_frees_the_home(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_run(tmp_path):
        _ = 1 / 0
    with only_run(tmp_path) as taken_over:
        assert taken_over is None


def test_a_lock_file_with_other_text_does_not_block_a_run(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("[]")
    with only_run(tmp_path) as taken_over:
        assert taken_over is None


def test_where_the_file_system_has_no_locks_the_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a volume of Databricks, for one
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    # When / Then
    with only_run(tmp_path) as taken_over:
        assert taken_over is None


def test_a_lock_that_fails_otherwise_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", broken)
    # When / Then
    with pytest.raises(OSError, match="broken"), only_run(tmp_path):
        pass
