"""A process is known by more than its pid, and only said to be dead when it is."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

from training.processes import ProcessIdentity

HERE = ProcessIdentity.of_this_process()


def test_this_process_lives() -> None:
    assert HERE.pid == os.getpid()
    assert not HERE.is_dead()


def test_a_process_that_ended_is_dead() -> None:
    # Given a process that tells who it is, and ends
    code = (
        "from training.processes import ProcessIdentity as P; print(P.of_this_process().to_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # When it is asked about, Then it is dead
    identity = ProcessIdentity.from_text(done.stdout)
    assert identity is not None
    assert identity.is_dead()


def test_another_process_with_the_same_pid_is_not_taken_for_it() -> None:
    # Given a process that had this one's pid, before it or before the machine was started again
    assert msgspec.structs.replace(HERE, started="another time").is_dead()


def test_nothing_is_said_of_processes_of_other_machines() -> None:
    assert not msgspec.structs.replace(HERE, host="elsewhere", pid=2**22).is_dead()


def test_a_process_of_somebody_else_is_not_dead_because_we_may_not_signal_it() -> None:
    # Given the first process of the machine, which started when it did
    first = msgspec.structs.replace(HERE, pid=1)
    # When it is asked about by its own start or another, Then the start decides
    assert first.is_dead()  # it is not the process that started when this one did


def test_text_that_is_no_identity_is_none() -> None:
    assert ProcessIdentity.from_text("") is None
    assert ProcessIdentity.from_text('{"pid": "x"}') is None
    assert ProcessIdentity.from_text(HERE.to_text()) == HERE
