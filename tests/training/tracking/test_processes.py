"""A process is identified by more than its pid, and only reported dead when it is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from training.tracking import processes
from training.tracking.processes import ProcessIdentity

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HERE = ProcessIdentity.of_this_process()


def test_this_process_is_alive() -> None:
    assert HERE.pid == os.getpid()
    assert not HERE.is_dead()


def test_a_process_that_ended_is_dead() -> None:
    # Given a process that prints its identity, and ends
    code = (
        "from training.tracking.processes import ProcessIdentity as P;"
        " print(P.of_this_process().to_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # When its identity is checked, Then it is dead
    identity = ProcessIdentity.from_text(done.stdout)
    assert identity is not None
    assert identity.is_dead()


def test_another_process_with_the_same_pid_is_not_taken_for_it() -> None:
    # Given a process that had this one's pid, before it or before the machine was started again
    assert msgspec.structs.replace(HERE, started="another time").is_dead()


def test_a_process_of_another_machine_is_never_reported_dead() -> None:
    assert not msgspec.structs.replace(HERE, host="elsewhere", pid=2**22).is_dead()


def test_a_process_of_another_user_is_alive_though_we_may_not_signal_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not HERE.is_dead()
    assert msgspec.structs.replace(HERE, started="another time").is_dead()


def test_without_the_start_time_of_a_process_the_pid_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a system without /proc
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    here = ProcessIdentity.of_this_process()
    # When this process is checked, Then it is alive, because its pid is
    assert here.started == ""
    assert not here.is_dead()


def test_invalid_identity_text_is_none() -> None:
    assert ProcessIdentity.from_text("") is None
    assert ProcessIdentity.from_text('{"pid": "x"}') is None
    assert ProcessIdentity.from_text(HERE.to_text()) == HERE
